/// A storage type of numbers.
package enum ElementType: String, Sendable, Hashable, Codable {
  /// IEEE 754 binary32.
  case float32
  /// The upper half of a binary32 (8 exponent bits, 7 mantissa bits).
  case bfloat16

  /// The size of an element in bytes.
  package var size: Int { self == .float32 ? 4 : 2 }
}

/// A view of a row-major matrix `[rows, columns]` in a device's memory. It does not own the memory.
///
/// `@unchecked Sendable`: a view is only an address and a shape. Code that gives several workers views of the
/// same memory must ensure that only one of them writes.
package struct Matrix: @unchecked Sendable {
  /// The first element, in memory of the device that allocated it. Only that device's ``TensorOperations``
  /// may access it.
  package let address: UnsafeMutableRawPointer
  package let rows: Int
  package let columns: Int
  /// The number of elements from the start of one row to the start of the next; at least `columns`.
  package let stride: Int
  package let type: ElementType

  /// A view of `rows * stride` elements at `address`; dense unless `stride` is given.
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

  /// Whether there are no gaps between the rows.
  package var isDense: Bool { stride == columns || rows <= 1 }
  package var count: Int { rows * columns }

  /// A view of some of the rows.
  package func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "Matrix: rows out of range")
    return Matrix(
      address + range.lowerBound * stride * type.size, rows: range.count, columns: columns, stride: stride,
      type: type)
  }

  /// A view of some of the columns.
  package func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns, "Matrix: columns out of range")
    return Matrix(
      address + range.lowerBound * type.size, rows: rows, columns: range.count, stride: stride, type: type)
  }

  /// A view of the same elements with another shape.
  ///
  /// - Precondition: the matrix is dense and the number of elements is the same.
  package func reshaped(rows: Int, columns: Int) -> Matrix {
    precondition(isDense && rows * columns == count, "Matrix: cannot reshape")
    return Matrix(address, rows: rows, columns: columns, type: type)
  }
  /// A dense view of the first elements with another shape.
  ///
  /// - Precondition: the matrix is dense and has at least `rows * columns` elements.
  package func leading(rows: Int, columns: Int) -> Matrix {
    precondition(isDense && rows * columns <= count, "Matrix: too small")
    return Matrix(address, rows: rows, columns: columns, type: type)
  }
}
