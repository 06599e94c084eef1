import Checkpoint
import Foundation
import SafeFiles
import StrictJSON
import TestSupport
import Testing

@Suite struct FixtureTests {
  @Test func emptyFilesAreNamedByWhatTheyLack() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let empty = folder.appendingPathComponent("empty")
      try AtomicFile.write("", to: empty)
      #expect(fileError { _ = try GGUFFile(empty) }?.field == "magic")
      #expect(fileError { _ = try SafetensorsFile(empty) }?.field == "header length")
    }
  }

  @Test func fixturesAreThoseOfTheManifest() throws {
    let manifest = try JSONParser.parse(MappedFile(fixture("manifest.json")))
    let members = try #require(manifest["files"]?.members)
    #expect(members.count == 11)
    for member in members {
      #expect(try FileChecksum.sha256(of: fixture(member.key)) == member.value["sha256"]?.string)
    }
  }
}
