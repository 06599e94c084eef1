/// How a number is stored.
package enum ElementType: String, Sendable, Hashable, Codable {
  /// IEEE 754 binary32.
  case float32
  /// The upper half of a binary32 (8 exponent bits, 7 mantissa bits).
  case bfloat16

  /// Bytes of one element.
  package var size: Int { self == .float32 ? 4 : 2 }
}

/// A view of a row-major matrix `[rows, columns]` in a device's memory. It does not own what it shows.
///
/// Unchecked: a view is only an address and a shape; whoever hands two workers views of the same memory
/// sees to it that only one of them writes.
package struct Matrix: @unchecked Sendable {
  /// The first element, in the memory of the device that allocated it. Only that device's
  /// ``TensorOperations`` look behind it.
  package let address: UnsafeMutableRawPointer
  /// The number of rows.
  package let rows: Int
  /// The number of columns.
  package let columns: Int
  /// Elements from one row's start to the next's; at least `columns`.
  package let stride: Int
  /// How the elements are stored.
  package let type: ElementType

  /// A view of `rows * stride` elements from `address`; dense unless `stride` is given.
  package init(
    _ address: UnsafeMutableRawPointer, rows: Int, columns: Int, stride: Int? = nil, type: ElementType
  ) {
    precondition(rows >= 0 && columns >= 0 && (stride ?? columns) >= columns, "Matrix: bad shape")
    self.address = address
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
    self.type = type
  }

  /// Rows without gaps between them.
  package var isDense: Bool { stride == columns || rows <= 1 }
  /// `rows * columns`.
  package var count: Int { rows * columns }

  /// Some of the rows, in place.
  package func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "Matrix: rows out of range")
    return Matrix(
      address + range.lowerBound * stride * type.size, rows: range.count, columns: columns, stride: stride,
      type: type)
  }

  /// Some of the columns, in place.
  package func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "Matrix: columns out of range")
    return Matrix(
      address + range.lowerBound * type.size, rows: rows, columns: range.count, stride: stride, type: type)
  }

  /// The same dense elements as another shape.
  package func reshaped(rows: Int, columns: Int) -> Matrix {
    precondition(isDense && rows * columns == count, "Matrix: cannot reshape")
    return Matrix(address, rows: rows, columns: columns, type: type)
  }
}
