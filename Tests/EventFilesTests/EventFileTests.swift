import EventFiles
import Foundation
import InputErrors
import SafeFiles
import TestSupport
import Testing

@Suite("Event files for TensorBoard") struct EventFileTests {
  /// The events of Fixtures/tensorboard/generate.py, which TensorBoard's own messages and record writer wrote.
  @Test func bytesAreThoseOfTensorBoardsOwnWriter() throws {
    let records: [EventRecord] = [
      .fileVersion(time: 1_700_000_000.25),
      .text("    name: käse\n    tasks: []", tag: "workflow", step: 0, time: 1_700_000_000.5),
      .scalars(
        [("loss/a", 2.5), ("gradient_norm/a", 0), ("learning_rate/a", 0.001)], step: 1, time: 1_700_000_001),
      .scalars([("loss/a", 1.1), ("validation/a/accuracy", 0.75)], step: 2, time: 1_700_000_002),
      .scalars([("loss/a", .nan)], step: 1 << 40, time: 1_700_000_003),
      .restart(step: 2, time: 1_700_000_004),
      .scalars([("loss/a", 0.9)], step: 2, time: 1_700_000_005),
    ]
    let expected = try Data(contentsOf: Fixtures.url("tensorboard/events.tfevents"))
    #expect(Data(records.flatMap(\.bytes)) == expected)
  }

  @Test func checksumsAreThoseOfTheStandard() {
    // RFC 3720, B.4, and the common check value.
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum(0..<32 as Range<UInt8>) == 0x46DD_794E)
  }

  @Test func eachProcessWritesAFileThatSortsAfterTheOthers() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("a/b").path
      let names = try (0..<3).map { index in
        let writer = try EventFileWriter(folder: path, resumingAfter: index == 0 ? nil : index)
        #expect(writer.isFirst == (index == 0))
        return writer.path
      }
      #expect(names == names.sorted() && Set(names).count == 3)
    }
  }

  @Test func foldersThatCannotBeUsed() throws {
    try Fixtures.withTemporaryDirectory { folder in
      _ = try EventFileWriter(folder: folder.path)
      let mixed = #expect(throws: Refusal.self) { _ = try EventFileWriter(folder: folder.path) }
      #expect(mixed?.problem.hasPrefix("has the events of another run (events.out.tfevents.") == true)
      let file = folder.appendingPathComponent("file").path
      try Data().write(to: URL(fileURLWithPath: file))
      let aFile = #expect(throws: Refusal.self) { try EventFileWriter.check(file, resumes: true) }
      #expect(aFile?.problem == "is a file, not a folder")
      let below = #expect(throws: FileError.self) { _ = try EventFileWriter(folder: file + "/below") }
      #expect(below != nil)
    }
  }

  /// With CONTEXTURE_TENSORBOARD_PYTHON, a Python that has TensorBoard.
  static let python = ProcessInfo.processInfo.environment["CONTEXTURE_TENSORBOARD_PYTHON"]

  private struct Shown: Decodable {
    let scalars: [String: [[Double]]]
    let texts: [String: String]
  }

  private func shown(_ folder: String) throws -> Shown {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.python))
    process.arguments = [Fixtures.url("tensorboard/read.py").path, folder]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return try JSONDecoder().decode(Shown.self, from: data)
  }

  @Test(.enabled(if: EventFileTests.python != nil))
  func tensorBoardShowsEachStepOfAResumedRunOnce() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let first = try EventFileWriter(folder: folder.path)
      try first.plainText("name: w\nlist: *no emphasis*", tag: "workflow", step: 0)
      for step in 1...5 { try first.scalars([("loss/a", Double(step)), ("gradient_norm/a", 1)], step: step) }
      // The process was killed while it wrote a record.
      let torn = EventRecord.scalars([("loss/a", 6)], step: 6, time: 0).bytes.dropLast(7)
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: first.path))
      try handle.seekToEnd()
      try handle.write(contentsOf: torn)
      try handle.close()
      let second = try EventFileWriter(folder: folder.path, resumingAfter: 3)
      for step in 4...7 { try second.scalars([("loss/a", Double(10 * step))], step: step) }
      let shown = try shown(folder.path)
      #expect(shown.scalars["loss/a"] == [[1, 1], [2, 2], [3, 3], [4, 40], [5, 50], [6, 60], [7, 70]])
      #expect(shown.scalars["gradient_norm/a"]?.map { $0[0] } == [1, 2, 3])
      #expect(shown.texts == ["workflow": "    name: w\n    list: *no emphasis*"])
    }
  }
}
