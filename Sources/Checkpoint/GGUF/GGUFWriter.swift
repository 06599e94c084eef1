import Foundation
import SafeFiles

/// Writes small GGUF files (version 3): adapters, and files for tests.
///
/// The bytes depend only on the arguments. Metadata and tensors are in the given order.
package enum GGUFWriter {
  /// A metadata value to write.
  package indirect enum Value: Sendable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case uint64(UInt64)
    case int64(Int64)
    case float32(Float)
    case float64(Double)
    case bool(Bool)
    case string(String)
    /// All elements must have the given type.
    case array(GGUFValueType, [Value])
  }

  /// A tensor to write. The dimensions are slowest first; the bytes are written unchanged.
  package struct Tensor: Sendable {
    let name: String
    let shape: [Int]
    let type: GGUFTensorType
    let bytes: [UInt8]

    /// Creates a tensor from bytes in the layout of `type`.
    package init(name: String, shape: [Int], type: GGUFTensorType, bytes: [UInt8]) {
      self.name = name
      self.shape = shape
      self.type = type
      self.bytes = bytes
    }

    /// Creates a float32 tensor.
    package init(name: String, shape: [Int], float32 values: [Float]) {
      precondition(shape.reduce(1, *) == values.count, "\(name): shape and count disagree")
      self.init(name: name, shape: shape, type: .f32, bytes: littleEndianBytes(values.map(\.bitPattern)))
    }

    /// Creates a float16 tensor; the values are rounded to nearest even.
    package init(name: String, shape: [Int], float16 values: [Float]) {
      precondition(shape.reduce(1, *) == values.count, "\(name): shape and count disagree")
      self.init(
        name: name, shape: shape, type: .f16, bytes: littleEndianBytes(values.map(FloatConversion.half)))
    }
  }

  /// Encodes a whole file.
  package static func encode(metadata: [(String, Value)], tensors: [Tensor]) -> [UInt8] {
    let alignment = 32
    var bytes = Array("GGUF".utf8)
    append(UInt32(3), to: &bytes)
    append(UInt64(tensors.count), to: &bytes)
    append(UInt64(metadata.count), to: &bytes)
    for (key, value) in metadata {
      append(key, to: &bytes)
      append(type(of: value).rawValue, to: &bytes)
      append(value, to: &bytes)
    }
    var offset = 0
    for tensor in tensors {
      append(tensor.name, to: &bytes)
      append(UInt32(tensor.shape.count), to: &bytes)
      for dimension in tensor.shape.reversed() { append(UInt64(dimension), to: &bytes) }
      append(tensor.type.rawValue, to: &bytes)
      append(UInt64(offset), to: &bytes)
      offset += padded(tensor.bytes.count, alignment)
    }
    pad(&bytes, alignment)
    for tensor in tensors {
      bytes += tensor.bytes
      pad(&bytes, alignment)
    }
    return bytes
  }

  /// Writes a file atomically.
  package static func write(metadata: [(String, Value)], tensors: [Tensor], to url: URL) throws {
    let bytes = encode(metadata: metadata, tensors: tensors)
    try AtomicFile.write(to: url) { writer in try bytes.withUnsafeBytes { try writer.write($0) } }
  }

  private static func padded(_ count: Int, _ alignment: Int) -> Int {
    (count + alignment - 1) / alignment * alignment
  }

  private static func pad(_ bytes: inout [UInt8], _ alignment: Int) {
    bytes += Array(repeating: 0, count: padded(bytes.count, alignment) - bytes.count)
  }

  private static func append<T: FixedWidthInteger>(_ value: T, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    append(UInt64(text.utf8.count), to: &bytes)
    bytes += text.utf8
  }

  private static func type(of value: Value) -> GGUFValueType {
    switch value {
    case .uint8: return .uint8
    case .int8: return .int8
    case .uint16: return .uint16
    case .int16: return .int16
    case .uint32: return .uint32
    case .int32: return .int32
    case .uint64: return .uint64
    case .int64: return .int64
    case .float32: return .float32
    case .float64: return .float64
    case .bool: return .bool
    case .string: return .string
    case .array: return .array
    }
  }

  private static func append(_ value: Value, to bytes: inout [UInt8]) {
    switch value {
    case .uint8(let value): append(value, to: &bytes)
    case .int8(let value): append(value, to: &bytes)
    case .uint16(let value): append(value, to: &bytes)
    case .int16(let value): append(value, to: &bytes)
    case .uint32(let value): append(value, to: &bytes)
    case .int32(let value): append(value, to: &bytes)
    case .uint64(let value): append(value, to: &bytes)
    case .int64(let value): append(value, to: &bytes)
    case .float32(let value): append(value.bitPattern, to: &bytes)
    case .float64(let value): append(value.bitPattern, to: &bytes)
    case .bool(let value): append(UInt8(value ? 1 : 0), to: &bytes)
    case .string(let value): append(value, to: &bytes)
    case .array(let type, let elements):
      append(type.rawValue, to: &bytes)
      append(UInt64(elements.count), to: &bytes)
      for element in elements {
        precondition(self.type(of: element) == type, "an array's elements share one type")
        append(element, to: &bytes)
      }
    }
  }
}

/// The bytes of integers in little-endian order.
func littleEndianBytes<T: FixedWidthInteger>(_ values: [T]) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(values.count * MemoryLayout<T>.size)
  for value in values { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
  return bytes
}
