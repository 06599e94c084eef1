import Checkpoint
import Foundation
import TestSupport
import Testing

/// A fetched model of the right length with the wrong bytes.
@Suite(.enabled(if: Fixtures.baseModel != nil, "the base model is not there: run make model"))
struct DamagedModelTests {
  @Test func isRefusedByNameAndByPath() throws {
    let model = try #require(Fixtures.baseModel)
    try Fixtures.withTemporaryDirectory { folder in
      let copy = folder.appendingPathComponent("smollm2-135m/model.gguf")
      try FileManager.default.createDirectory(
        at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: model, to: copy)
      #expect(try ModelLocation("smollm2-135m", models: folder.path).path == copy.path)
      try ModelLocation.verify("smollm2-135m", at: copy.path)

      let handle = try FileHandle(forUpdating: copy)
      try handle.seek(toOffset: 60_000_000)
      try handle.write(contentsOf: Data(count: 20_000))
      try handle.close()
      let byName = fileError { _ = try ModelLocation("smollm2-135m", models: folder.path) }
      let byPath = fileError { try ModelLocation.verify("smollm2-135m", at: copy.path) }
      for error in [byName, byPath] {
        #expect(error?.kind == .checksum && error?.file == copy.path)
        #expect(error?.remedy == "run 'contexture model fetch smollm2-135m', which replaces it")
      }
    }
  }
}
