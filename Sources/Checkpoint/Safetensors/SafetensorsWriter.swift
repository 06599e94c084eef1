import Foundation
import SafeFiles
import StrictJSON

/// Writes safetensors files. Equal tensors and metadata give equal bytes: names and metadata keys are sorted
/// by their UTF-8 bytes, and the header is padded with spaces so that the data starts at a multiple of eight
/// bytes.
package enum SafetensorsWriter {
  /// The elements of a tensor to write.
  package enum Elements: Sendable, Equatable {
    case float32([Float])
    case float64([Double])
    /// Bit patterns of the values.
    case float16([UInt16])
    /// Bit patterns of the values.
    case bfloat16([UInt16])
    case uint8([UInt8])
    case int32([Int32])
    case int64([Int64])
    case uint64([UInt64])

    var type: SafetensorsType {
      switch self {
      case .float32: return .float32
      case .float64: return .float64
      case .float16: return .float16
      case .bfloat16: return .bfloat16
      case .uint8: return .uint8
      case .int32: return .int32
      case .int64: return .int64
      case .uint64: return .uint64
      }
    }

    var count: Int { withBytes { $0.count } / type.size }

    func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
      switch self {
      case .float32(let values): return try values.withUnsafeBytes(body)
      case .float64(let values): return try values.withUnsafeBytes(body)
      case .float16(let values), .bfloat16(let values): return try values.withUnsafeBytes(body)
      case .uint8(let values): return try values.withUnsafeBytes(body)
      case .int32(let values): return try values.withUnsafeBytes(body)
      case .int64(let values): return try values.withUnsafeBytes(body)
      case .uint64(let values): return try values.withUnsafeBytes(body)
      }
    }
  }

  /// A tensor to write.
  package struct Tensor: Sendable, Equatable {
    /// The tensor's name; `__metadata__` is not allowed.
    package let name: String
    /// The dimensions, slowest first.
    package let shape: [Int]
    /// The elements in row-major order.
    package let elements: Elements

    /// - Precondition: `elements` matches `shape`, and `name` is not `__metadata__`.
    package init(name: String, shape: [Int], elements: Elements) {
      precondition(shape.reduce(1, *) == elements.count, "\(name): shape and count disagree")
      precondition(name != "__metadata__", "__metadata__ is not a tensor's name")
      self.name = name
      self.shape = shape
      self.elements = elements
    }
  }

  /// Writes a file atomically.
  ///
  /// - Throws: `FileError` if the system reports an error; no file remains.
  /// - Precondition: the tensors' names are unique.
  package static func write(_ tensors: [Tensor], metadata: [String: String] = [:], to url: URL) throws {
    let sorted = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    let header = header(sorted, metadata)
    try AtomicFile.write(to: url) { writer in
      try header.withUnsafeBytes { try writer.write($0) }
      for tensor in sorted { try tensor.elements.withBytes { try writer.write($0) } }
    }
  }

  private static func header(_ sorted: [Tensor], _ metadata: [String: String]) -> [UInt8] {
    var members: [JSONValue.Member] = []
    if !metadata.isEmpty {
      members.append(.init(key: "__metadata__", value: .sorted(metadata.mapValues { .string($0) })))
    }
    var offset = 0
    var previous: String?
    for tensor in sorted {
      precondition(tensor.name != previous, "two tensors are named \(tensor.name)")
      previous = tensor.name
      let end = offset + tensor.elements.count * tensor.elements.type.size
      members.append(
        .init(
          key: tensor.name,
          value: .object([
            .init(key: "dtype", value: .string(tensor.elements.type.rawValue)),
            .init(key: "shape", value: .array(tensor.shape.map { .integer($0) })),
            .init(key: "data_offsets", value: .array([.integer(offset), .integer(end)])),
          ])))
      offset = end
    }
    var text = Array(JSONValue.object(members).encoded().utf8)
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    return littleEndianBytes([UInt64(text.count)]) + text
  }
}
