import SeededRandom
import Tensor

/// A row-major float64 matrix, which the references of these tests are computed with.
struct HostMatrix: Equatable {
  var rows: Int
  var columns: Int
  var values: [Double]

  init(rows: Int, columns: Int, values: [Double]) {
    precondition(values.count == rows * columns, "HostMatrix: bad shape")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  init(rows: Int, columns: Int, repeating value: Double = 0) {
    self.init(rows: rows, columns: columns, values: Array(repeating: value, count: rows * columns))
  }

  /// Uniform in `range`, rounded to values that `type` can represent, so that device and reference start from
  /// equal inputs.
  static func random(
    _ rows: Int, _ columns: Int, seed: UInt64, in range: ClosedRange<Double> = -1...1,
    as type: ElementType = .float32
  ) -> HostMatrix {
    var generator = SeededGenerator(seed: seed)
    let width = range.upperBound - range.lowerBound
    return HostMatrix(
      rows: rows, columns: columns,
      values: (0..<rows * columns).map { _ in type.rounded(range.lowerBound + width * generator.unit()) })
  }

  subscript(row: Int, column: Int) -> Double {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }

  func map(_ transform: (Double) -> Double) -> HostMatrix {
    HostMatrix(rows: rows, columns: columns, values: values.map(transform))
  }

  func rounded(as type: ElementType) -> HostMatrix { map(type.rounded) }

  /// The absolute values of all elements.
  var magnitudes: HostMatrix { map(abs) }

  var transposed: HostMatrix {
    var result = HostMatrix(rows: columns, columns: rows)
    for row in 0..<rows { for column in 0..<columns { result[column, row] = self[row, column] } }
    return result
  }

  func rows(_ range: Range<Int>) -> HostMatrix {
    HostMatrix(
      rows: range.count, columns: columns,
      values: Array(values[range.lowerBound * columns..<range.upperBound * columns]))
  }

  func columns(_ range: Range<Int>) -> HostMatrix {
    HostMatrix(
      rows: rows, columns: range.count,
      values: (0..<rows).flatMap { values[$0 * columns + range.lowerBound..<$0 * columns + range.upperBound] }
    )
  }

  /// The rows of all parts, one after the other.
  static func stacked(_ parts: [HostMatrix]) -> HostMatrix {
    HostMatrix(
      rows: parts.reduce(0) { $0 + $1.rows }, columns: parts.first?.columns ?? 0,
      values: parts.flatMap(\.values))
  }

  /// The sum of the products of corresponding elements.
  func dot(_ other: HostMatrix) -> Double { zip(values, other.values).reduce(0) { $0 + $1.0 * $1.1 } }

  static func + (a: HostMatrix, b: HostMatrix) -> HostMatrix {
    HostMatrix(rows: a.rows, columns: a.columns, values: zip(a.values, b.values).map { $0 + $1 })
  }

  static func * (a: HostMatrix, b: HostMatrix) -> HostMatrix {
    precondition(a.columns == b.rows, "HostMatrix: bad product")
    var result = HostMatrix(rows: a.rows, columns: b.columns)
    for row in 0..<a.rows {
      for inner in 0..<a.columns {
        let factor = a.values[row * a.columns + inner]
        for column in 0..<b.columns {
          result.values[row * b.columns + column] += factor * b.values[inner * b.columns + column]
        }
      }
    }
    return result
  }
}

extension ElementType {
  /// Half the distance from 1 to the next number: the largest relative error of one rounding.
  var roundoff: Double { self == .float32 ? 0x1p-24 : 0x1p-8 }

  /// The nearest number of this type, ties to even; for numbers in its normal range.
  func rounded(_ value: Double) -> Double {
    if value == 0 || !value.isFinite { return value }
    let step = value.ulp * (self == .float32 ? 0x1p29 : 0x1p45)
    return (value / step).rounded(.toNearestOrEven) * step
  }

  /// The types that models run in; bfloat16 is emulated if the processor does not multiply it.
  static let computed: [ElementType] = [.float32, .bfloat16]
}
