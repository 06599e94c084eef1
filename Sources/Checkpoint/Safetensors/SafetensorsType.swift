/// The element types of safetensors. The raw values are the format's names.
package enum SafetensorsType: String, Sendable, Equatable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case float8E5M2 = "F8_E5M2"
  case float8E4M3 = "F8_E4M3"
  case uint16 = "U16"
  case int16 = "I16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case uint32 = "U32"
  case int32 = "I32"
  case float32 = "F32"
  case uint64 = "U64"
  case int64 = "I64"
  case float64 = "F64"

  /// The size of an element in bytes.
  package var size: Int {
    switch self {
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3: return 1
    case .uint16, .int16, .float16, .bfloat16: return 2
    case .uint32, .int32, .float32: return 4
    case .uint64, .int64, .float64: return 8
    }
  }

  /// Whether the elements can be converted to float32.
  package var convertsToFloat32: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: return true
    default: return false
    }
  }
}

/// A tensor in a safetensors file.
package struct SafetensorsTensor: Sendable, Equatable {
  package let name: String
  package let type: SafetensorsType
  /// The dimensions, slowest first.
  package let shape: [Int]
  /// The location of the elements in the file.
  package let byteRange: Range<Int>

  /// The number of elements.
  package var count: Int { shape.reduce(1, *) }
  /// The number of rows: the product of all dimensions except the last. A vector is one row.
  package var rowCount: Int { shape.dropLast().reduce(1, *) }
  /// The length of a row: the last dimension, or 1 for a scalar.
  package var rowLength: Int { shape.last ?? 1 }
}
