import Checkpoint
import Foundation
import SafeFiles
import TestSupport
import Testing

@Suite struct GGUFFileTests {
  @Test func everyMetadataTypeIsRead() throws {
    let file = try GGUFFile(fixture("metadata.gguf"))
    #expect(file.version == 3)
    #expect(file.keys.first == "general.architecture")
    let expected: [String: GGUFValue] = [
      "v.uint8": .uint8(255), "v.int8": .int8(-128), "v.uint16": .uint16(65535), "v.int16": .int16(-32768),
      "v.uint32": .uint32(4_294_967_295), "v.int32": .int32(-2_147_483_648), "v.uint64": .uint64(.max),
      "v.int64": .int64(.min), "v.float32": .float32(0.1), "v.float64": .float64(0.1), "v.bool": .bool(true),
      "v.string": .string("Grüße, 世界 🌍"),
    ]
    for (key, value) in expected { #expect(file.metadata[key] == value) }
    #expect(try file.strings("a.strings") == ["a", "", "naïve", "\u{120}the"])
    #expect(try file.integers("a.integers") == [1, -2, 3])
    #expect(try file.numbers("a.floats") == [0.5, -0.25])
    guard case .array(let bools)? = file.metadata["a.bools"],
      case .array(let nested)? = file.metadata["a.nested"]
    else {
      Issue.record("arrays expected")
      return
    }
    #expect(try file.elements(of: bools) == [.bool(true), .bool(false)])
    let inner = try file.elements(of: nested).map { element -> [GGUFValue] in
      guard case .array(let array) = element else { return [] }
      return try file.elements(of: array)
    }
    #expect(inner.map { $0.map(\.integer) } == [[1, 2], [3]])
  }

  @Test("metadata stay as they were when the file was opened, whatever is written into it")
  func metadataAreKept() throws {
    try Fixtures.withTemporaryDirectory { folder in
      // Larger than what is read at once.
      let url = folder.appendingPathComponent("large.gguf")
      let bytes = try Data(contentsOf: fixture("metadata.gguf"))
      try (bytes + Data(count: 3 << 20)).write(to: url)
      let file = try GGUFFile(url)
      let handle = try FileHandle(forWritingTo: url)
      try handle.write(contentsOf: Data(repeating: 0xFF, count: bytes.count))
      #expect(try file.strings("a.strings") == ["a", "", "naïve", "\u{120}the"])
      #expect(throws: FileError.self) { try file.checkUnchanged() }
      try handle.truncate(atOffset: 0)
      try handle.close()
      #expect(try file.strings("a.strings") == ["a", "", "naïve", "\u{120}the"])
      #expect(try file.integers("a.integers") == [1, -2, 3])
    }
  }

  @Test func tensorsHaveRowMajorShapes() throws {
    let file = try GGUFFile(fixture("metadata.gguf"))
    #expect(file.tensors.map(\.name) == ["one", "two"])
    #expect(file.tensors.map(\.shape) == [[2, 3], [2, 3, 4]])
    #expect(file.tensors.allSatisfy { $0.byteRange.lowerBound % 64 == 0 })
    #expect(try values(file, "one") == (0..<6).map(Float.init))
    #expect(try values(file, "two") == (0..<24).map(Float.init))
    #expect(file.tensor("two")?.rowCount == 6)
  }

  @Test func wrongTypesAndMissingKeysAreNamed() throws {
    let file = try GGUFFile(fixture("metadata.gguf"))
    #expect(fileError { _ = try file.strings("absent") }?.field == "absent")
    #expect(fileError { _ = try file.strings("a.integers") }?.kind == .malformed)
    #expect(fileError { _ = try file.integers("a.strings") }?.field == "a.strings")
    #expect(fileError { _ = try file.integer("v.string") }?.field == "v.string")
    #expect(try file.integer("absent") == nil)
  }

  @Test func theWritersFilesComeBack() throws {
    let metadata: [(String, GGUFWriter.Value)] = [
      ("i", .int64(-5)), ("s", .string("ä")), ("e", .string("")), ("f", .float32(2.5)), ("b", .bool(false)),
      ("u8", .uint8(9)),
      ("list", .array(.string, [.string("x"), .string("")])),
      ("nested", .array(.array, [.array(.uint16, [.uint16(7)])])),
    ]
    let bytes = GGUFWriter.encode(
      metadata: metadata,
      tensors: [
        .init(name: "a", shape: [2, 3], float32: [1, 2, 3, 4, 5, 6]),
        .init(name: "b", shape: [5], float16: [0.5, -1, 65504, 1e-7, 0]),
      ])
    let file = try GGUFFile(guardedFile(bytes))
    #expect(file.keys == metadata.map(\.0))
    #expect(file.metadata["i"] == .int64(-5))
    #expect(file.metadata["s"] == .string("ä") && file.metadata["e"] == .string(""))
    #expect(try file.strings("list") == ["x", ""])
    #expect(try values(file, "a") == [1, 2, 3, 4, 5, 6])
    #expect(try values(file, "b") == [0.5, -1, 65504, 0x1p-23, 0])
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("x.gguf")
      try GGUFWriter.write(metadata: metadata, tensors: [], to: url)
      #expect(try GGUFFile(url).keys == file.keys)
    }
  }

  @Test func version2ReadsAndOthersAreRefused() throws {
    var bytes = try fixtureBytes("metadata.gguf")
    bytes[4] = 2
    #expect(try GGUFFile(guardedFile(bytes)).version == 2)
    bytes[4] = 1
    #expect(fileError { _ = try GGUFFile(guardedFile(bytes)) }?.field == "version")
    bytes.replaceSubrange(4..<8, with: [0, 0, 0, 3])
    let swapped = fileError { _ = try GGUFFile(guardedFile(bytes)) }
    #expect(swapped?.problem == "is a big-endian file")
    bytes[0] = 0
    #expect(fileError { _ = try GGUFFile(guardedFile(bytes)) }?.field == "magic")
  }

  /// Crafted headers, each with a field's value and the field that the error must name.
  @Test func craftedLiesAreRefused() throws {
    func tensor(_ name: String, _ shape: [Int], type: GGUFTensorType = .f32, bytes: Int = 24)
      -> GGUFWriter.Tensor
    {
      .init(name: name, shape: shape, type: type, bytes: Array(repeating: 0, count: bytes))
    }
    func error(
      _ metadata: [(String, GGUFWriter.Value)], _ tensors: [GGUFWriter.Tensor],
      patch: (inout [UInt8]) -> Void = { _ in }
    ) -> FileError? {
      var bytes = GGUFWriter.encode(metadata: metadata, tensors: tensors)
      patch(&bytes)
      return fileError { _ = try GGUFFile(guardedFile(bytes)) }
    }
    #expect(error([], [tensor("t", [2, 3]), tensor("t", [2, 3])])?.problem.contains("duplicated") == true)
    #expect(error([("k", .bool(true)), ("k", .bool(true))], [])?.problem.contains("duplicated") == true)
    #expect(error([], [tensor("t", [3, 3])])?.field == "t", "36 bytes of 32 present")
    #expect(error([], [tensor("t", [Int.max, 3])])?.problem.contains("overflows") == true)
    #expect(error([], [tensor("t", [Int.max / 2])])?.problem.contains("overflows") == true)
    #expect(error([], [tensor("t", [2, 0])])?.problem.contains("dimension 0") == true)
    #expect(error([], [tensor("t", [2, 31], type: .q8_0)])?.problem.contains("block of 32") == true)
    #expect(error([], [tensor("t", [1, 1, 1, 1, 6])])?.problem.contains("5 dimensions") == true)
    #expect(error([("general.alignment", .uint32(24))], [])?.field == "general.alignment")
    #expect(error([("general.alignment", .uint32(0))], [])?.field == "general.alignment")
    #expect(error([], []) { $0[8] = 1 }?.field == "tensor count")
    #expect(
      error([], []) { $0.replaceSubrange(16..<24, with: [UInt8](repeating: 255, count: 8)) }?.field
        == "metadata count")
    // The second tensor's offset becomes the first's.
    let overlap = error([], [tensor("t", [2, 3]), tensor("u", [2, 3])]) { bytes in
      let row = 8 + 1 + 4 + 16 + 4 + 8
      bytes[24 + 2 * row - 8] = 0
    }
    #expect(overlap?.problem.contains("overlap") == true)
    let odd = error([], [tensor("t", [2, 3])]) { $0[24 + 33] = 4 }
    #expect(odd?.problem.contains("alignment") == true)
    // A string with a length near 2^64.
    let long = error([("k", .string("v"))], []) { bytes in
      bytes.replaceSubrange(37..<45, with: [UInt8](repeating: 255, count: 8))
    }
    #expect(long?.field == "k")
    // An array with a size in bytes that overflows.
    let array = error([("k", .array(.uint64, []))], []) { bytes in
      bytes.replaceSubrange(41..<49, with: [UInt8](repeating: 255, count: 8))
    }
    #expect(array?.field == "k")
    var deep = GGUFWriter.Value.array(.uint8, [])
    for _ in 0..<9 { deep = .array(.array, [deep]) }
    #expect(error([("deep", deep)], [])?.problem.contains("nested deeper") == true)
    #expect(error([("k", .string("v"))], []) { $0[45] = 0xff }?.problem.contains("UTF-8") == true)
  }
}

/// Files cut off at every length, and files with random bytes changed, give an error and never a trap.
@Suite struct DamagedGGUFTests {
  /// Opens the bytes and reads all their contents.
  private func exercise(_ bytes: some Collection<UInt8>) throws {
    let file = try GGUFFile(guardedFile(bytes))
    for (key, value) in file.metadata {
      guard case .array(let array) = value else { continue }
      _ = try? file.strings(key)
      if array.count < 10_000 { _ = try? file.elements(of: array) }
    }
    for tensor in file.tensors where tensor.byteRange.count > 0 { _ = try? values(file, tensor.name) }
    _ = file.description
    _ = try? GGUFWeightSource(file)
    _ = try? GGUFTokenizerMetadata(file)
  }

  @Test(arguments: ["metadata.gguf", "tiny-llama.gguf"])
  func everyTruncationThrows(_ name: String) throws {
    let bytes = try fixtureBytes(name)
    let end = try #require(GGUFFile(fixture(name)).tensors.map(\.byteRange.upperBound).max())
    for length in 0..<end {
      let error = #expect(throws: FileError.self) { try exercise(bytes[..<length]) }
      if error == nil { return }
    }
    // Only padding follows the last tensor.
    try exercise(bytes[..<end])
  }

  @Test(arguments: ["metadata.gguf", "tiny-llama.gguf", "quantized.gguf"])
  func changedBytesNeverTrap(_ name: String) throws {
    let bytes = try fixtureBytes(name)
    let header = try #require(GGUFFile(fixture(name)).tensors.map(\.byteRange.lowerBound).min())
    var refused = 0
    var other: [any Error] = []
    damaged(bytes, within: 0..<header, count: 3000, seed: 11) { copy in
      do {
        try exercise(copy)
      } catch is FileError {
        refused += 1
      } catch {
        other.append(error)
      }
    }
    #expect(other.isEmpty)
    #expect(refused > 300, "the damage must be noticed often: \(refused) of 3000")
  }
}
