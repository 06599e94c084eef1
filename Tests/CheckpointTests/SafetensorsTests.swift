import Checkpoint
import Foundation
import SafeFiles
import StrictJSON
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  @Test func theLibrarysFileIsRead() throws {
    let file = try SafetensorsFile(fixture("python.safetensors"))
    let expected = try JSONParser.parse(MappedFile(fixture("python-safetensors.json")))
    func numbers(_ json: JSONValue?) -> [Double] {
      if let elements = json?.array { return elements.flatMap { numbers($0) } }
      return json?.number.map { [$0] } ?? []
    }
    for name in ["f32", "f16", "bf16"] {
      #expect(try file.float32(name).map(Double.init) == numbers(expected[name]))
    }
    #expect(try file.float64("f64") == numbers(expected["f64"]))
    #expect(try file.float32("f64").map(Double.init) == numbers(expected["f64AsFloat32"]))
    #expect(try file.integers("i64") == [-1, 1 << 62])
    #expect(try file.integers("i32", as: Int32.self) == [-7, 7])
    #expect(try file.integers("u8") == [0, 255, 7])
    #expect(try file.float32("empty") == [])
    #expect(try file.float32("scalar") == [2.5])
    #expect(file.tensor("f32")?.shape == [3, 2])
    #expect(file.metadata == ["note": "ä \"quoted\" \\ line\n"])
    #expect(file.names == ["bf16", "bool", "empty", "f16", "f32", "f64", "i32", "i64", "scalar", "u8"])
    #expect(fileError { _ = try file.float32("i64") }?.field == "i64")
    #expect(fileError { _ = try file.integers("i32", as: UInt8.self) }?.field == "i32")
    #expect(fileError { _ = try file.float32("absent") }?.kind == .missing)
  }

  private let tensors: [SafetensorsWriter.Tensor] = [
    .init(name: "b", shape: [2, 2], elements: .float32([1, -2, .infinity, 0])),
    .init(name: "a/é", shape: [3], elements: .bfloat16([0x3f80, 0, 0x8000])),
    .init(name: "c", shape: [], elements: .float64([0.1])),
    .init(name: "d", shape: [0], elements: .int64([])),
    .init(name: "e", shape: [2], elements: .uint64([.max, 1])),
    .init(name: "f", shape: [1], elements: .uint8([7])),
    .init(name: "g", shape: [1], elements: .int32([-7])),
    .init(name: "h", shape: [1], elements: .float16([0x3c00])),
  ]

  @Test func theWritersFilesComeBackAndDependOnlyOnTheContent() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let first = folder.appendingPathComponent("1.safetensors")
      let second = folder.appendingPathComponent("2.safetensors")
      let metadata = ["z": "1", "a": "\u{1}\"\\\n", "m": ""]
      try SafetensorsWriter.write(tensors, metadata: metadata, to: first)
      try SafetensorsWriter.write(tensors.reversed(), metadata: metadata, to: second)
      let bytes = try Data(contentsOf: first)
      #expect(try bytes == Data(contentsOf: second))
      #expect(bytes[0] % 8 == 0)
      let file = try SafetensorsFile(first)
      #expect(file.metadata == metadata)
      #expect(file.tensors.map(\.name) == ["a/é", "b", "c", "d", "e", "f", "g", "h"])
      #expect(try file.float32("b") == [1, -2, .infinity, 0])
      #expect(try file.float32("a/é") == [1, 0, -0])
      #expect(try file.float64("c") == [0.1])
      #expect(try file.integers("e", as: UInt64.self) == [.max, 1])
      #expect(try file.integers("f") == [7])
      #expect(try file.integers("g") == [-7])
      #expect(try file.float32("h") == [1])
    }
  }

  private func open(_ header: String, data: Int) throws -> SafetensorsFile {
    let text = Array(header.utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> ($0 * 8)) }
    return try SafetensorsFile(guardedFile(length + text + [UInt8](repeating: 0, count: data)))
  }

  @Test(
    arguments: [
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7, "t"),
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9, "data"),
      (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}"#, 8, "t"),
      (#"{"t":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}}"#, 8, "t"),
      (#"{"t":{"shape":[2],"data_offsets":[0,8]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","data_offsets":[0,8]}}"#, 8, "t"),
      (#"{"t":{"dtype":"F32","shape":[2]}}"#, 8, "t"),
      (#"{"t":7}"#, 0, "t"),
      (#"{"__metadata__":{"a":1}}"#, 0, "__metadata__.a"),
      (#"{"__metadata__":[]}"#, 0, "__metadata__"),
      (#"[]"#, 0, "header"),
      (
        #"{"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"#
          + #""u":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#, 6, "u"
      ),
      (
        #"{"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"#
          + #""u":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}}"#, 9, "u"
      ),
    ])
  func liesAreRefused(_ header: String, data: Int, field: String) {
    #expect(fileError { _ = try open(header, data: data) }?.field == field)
  }

  @Test func aKeyThatStandsTwiceIsRefused() {
    let tensor = #""t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#
    #expect(
      fileError { _ = try open("{\(tensor),\(tensor)}", data: 1) }?.problem.contains("repeated") == true)
    let deep = String(repeating: "[", count: 100_000)
    #expect(fileError { _ = try open("{\"t\":\(deep)", data: 0) }?.problem.contains("nested") == true)
    let huge = [UInt8](repeating: 255, count: 8) + Array("{}".utf8)
    #expect(fileError { _ = try SafetensorsFile(guardedFile(huge)) }?.field == "header length")
  }

  @Test func everyTruncationThrows() throws {
    for name in ["python.safetensors", "tiny-llama/model.safetensors"] {
      let bytes = try fixtureBytes(name)
      for length in 0..<bytes.count {
        let error = #expect(throws: FileError.self) {
          _ = try SafetensorsFile(guardedFile(bytes[..<length]))
        }
        if error == nil { return }
      }
    }
  }

  @Test func changedBytesNeverTrap() throws {
    let bytes = try fixtureBytes("python.safetensors")
    var refused = 0
    var other: [any Error] = []
    damaged(bytes, within: 0..<8 + Int(bytes[0]) + Int(bytes[1]) << 8, count: 4000, seed: 5) { copy in
      do {
        let file = try SafetensorsFile(guardedFile(copy))
        for name in file.names {
          _ = try? file.float32(name)
          _ = try? file.integers(name, as: Int8.self)
        }
        _ = file.description
      } catch is FileError {
        refused += 1
      } catch {
        other.append(error)
      }
    }
    #expect(other.isEmpty)
    #expect(refused > 3000, "\(refused) of 4000")
  }
}
