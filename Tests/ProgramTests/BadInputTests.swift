import Foundation
import TestSupport
import Testing

/// Every kind of wrong input that these commands can meet: exit code 2, one message that names the place
/// and the remedy, nothing on standard output, nothing left behind.
@Suite("Wrong input") struct BadInputTests {
  /// Arguments, the files of the folder they are run in, and the whole message.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let arguments: [String]
    var files: [String: String] = [:]
    /// Each must stand in the message.
    let expected: [String]

    var testDescription: String { name }
  }

  @Test(arguments: BadInputCases.all)
  func refused(_ example: Case) throws {
    try Fixtures.withTemporaryDirectory { folder in
      for (name, text) in example.files {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
      }
      let before = try contents(folder)
      let outcome = try Program.run(example.arguments, in: folder)
      #expect(outcome.status == 2, "\(outcome)")
      #expect(outcome.output.isEmpty)
      for text in example.expected {
        #expect(outcome.errors.contains(text), "'\(text)' in '\(outcome.errors)'")
      }
      if outcome.errors.hasPrefix("contexture: ") {
        #expect(outcome.errors.count { $0 == "\n" } == 1, "one line: \(outcome.errors)")
      }
      #expect(try contents(folder) == before)
    }
  }

  private func contents(_ folder: URL) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
  }

  /// Damaged copies of the golden models, made byte by byte.
  @Test(arguments: ["tiny-llama.gguf", "tiny-llama/model.safetensors", "quantized.gguf"])
  func damagedFiles(_ name: String) throws {
    let whole = try Data(contentsOf: Fixtures.url("checkpoint/\(name)"))
    let isGGUF = name.hasSuffix(".gguf")
    try Fixtures.withTemporaryDirectory { folder in
      let file = folder.appendingPathComponent(isGGUF ? "m.gguf" : "m.safetensors")
      func refuse(_ bytes: Data, _ what: String) throws {
        try bytes.write(to: file)
        let outcome = try Program.run(["model", "inspect", file.path])
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(what): \(outcome)")
        #expect(outcome.errors.hasPrefix("contexture: \(file.path): "), "\(what): \(outcome.errors)")
        #expect(outcome.errors.contains("; "), "\(what)")
      }
      // The last bytes may be padding up to the alignment of 32.
      for length in [0, 3, 8, 40, whole.count / 2, whole.count - 33] {
        try refuse(whole.prefix(length), "cut to \(length) bytes")
      }
      var counts = whole
      for index in (isGGUF ? 8 : 0)..<(isGGUF ? 24 : 8) { counts[index] = 0xFF }
      try refuse(counts, "counts beyond the file")
      if isGGUF {
        var magic = whole
        magic[0] = UInt8(ascii: "X")
        try refuse(magic, "another magic")
      }
    }
  }

  @Test func offsetsAndProductsThatOverflow() throws {
    for shape in ["[4]", "[9223372036854775807, 2]", "[4294967296, 4294967296, 4]"] {
      try Fixtures.withTemporaryDirectory { folder in
        let header = #"{"w": {"dtype": "F32", "shape": \#(shape), "data_offsets": [0, 9000000000000000000]}}"#
        var bytes = Data()
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: header.utf8)
        let file = folder.appendingPathComponent("m.safetensors")
        try bytes.write(to: file)
        let outcome = try Program.run(["model", "inspect", file.path])
        #expect(outcome.status == 2, "\(shape)")
        #expect(outcome.errors.hasPrefix("contexture: \(file.path): w"), "\(shape): \(outcome.errors)")
      }
    }
  }

  @Test func aSequenceLongerThanTheContext() throws {
    guard Fixtures.baseModel != nil else { return }
    let outcome = try Program.run([
      "score", "--model", "smollm2-135m", "--prompt", String(repeating: "word ", count: 9000),
    ])
    #expect(outcome.status == 2 && outcome.output.isEmpty)
    #expect(outcome.errors.hasPrefix("contexture: --prompt: 900"))
    #expect(outcome.errors.hasSuffix("(8192); shorten the text or use a model with a longer context\n"))
  }
}
