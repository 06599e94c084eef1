/// The type of a GGUF metadata value. The raw values are those of the format.
package enum GGUFValueType: UInt32, Sendable, Equatable {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// The size in bytes; `nil` for strings and arrays, which vary in length.
  package var size: Int? {
    switch self {
    case .uint8, .int8, .bool: return 1
    case .uint16, .int16: return 2
    case .uint32, .int32, .float32: return 4
    case .uint64, .int64, .float64: return 8
    case .string, .array: return nil
    }
  }
}

/// An array in a GGUF file's metadata. The elements, tens of thousands for a vocabulary, stay in the file
/// until they are read with `GGUFFile` (`strings(_:)`, `integers(_:)`, `numbers(_:)`, `elements(of:)`).
package struct GGUFArray: Sendable, Equatable {
  /// The type of all elements.
  package let elementType: GGUFValueType
  /// The number of elements.
  package let count: Int
  /// The offset of the first element in the file. All elements are known to be within the file.
  package let offset: Int
}

/// A GGUF metadata value.
package enum GGUFValue: Sendable, Equatable {
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
  case array(GGUFArray)

  /// The value of any integer type; `nil` for other types and for a `uint64` above `Int.max`.
  package var integer: Int? {
    switch self {
    case .uint8(let value): return Int(value)
    case .int8(let value): return Int(value)
    case .uint16(let value): return Int(value)
    case .int16(let value): return Int(value)
    case .uint32(let value): return Int(value)
    case .int32(let value): return Int(value)
    case .uint64(let value): return Int(exactly: value)
    case .int64(let value): return Int(value)
    default: return nil
    }
  }

  /// The value of any numeric type; `nil` for other types.
  package var number: Double? {
    switch self {
    case .float32(let value): return Double(value)
    case .float64(let value): return value
    default: return integer.map(Double.init)
    }
  }

  package var string: String? {
    guard case .string(let value) = self else { return nil }
    return value
  }

  package var bool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }
}
