/// The matrix `Σ_c b_c a_cᵀ`, `[outputs, inputs]`, of some columns of an adapted module.
struct ColumnSum {
  /// One `a_c` per column, `[columns, inputs]`.
  let rows: [[Double]]
  /// One `b_c` per column, `[columns, outputs]`.
  let columns: [[Double]]

  /// The product of a column and a row of length 1.
  struct Part {
    let row: [Double]
    let column: [Double]
  }

  /// At most `count` parts with orthonormal rows whose sum is closest to this matrix: its largest singular values. Those of
  /// a matrix of a rank above ``largestExactRank`` are approximated, and not in order.
  ///
  /// - Parameter start: where the approximation begins: as many vectors, `[count, inputs]`, in general position.
  func largestParts(_ count: Int, from start: [[Double]]) -> [Part] {
    // a_c = Σ_k L_ck q_k with orthonormal q_k, so that the matrix is Σ_k (Σ_c L_ck b_c) q_kᵀ.
    let basis = rows.orthonormalBasis()
    guard !basis.isEmpty else { return [] }
    let scaled = basis.map { direction in columns.combination(rows.map { $0.dot(direction) }) }
    let squares = SymmetricMatrix(basis.count) { scaled[$0].dot(scaled[$1]) }
    let directions =
      basis.count <= Self.largestExactRank
      ? squares.largestEigenvectors(count)
      : squares.dominantSubspace(from: start.prefix(count).map { vector in basis.map { vector.dot($0) } })
    return directions.map { Part(row: basis.combination($0), column: scaled.combination($0)) }
  }

  /// Above it, the exact decomposition takes longer than some optimiser steps.
  static let largestExactRank = 64
}

extension SymmetricMatrix {
  /// The eigenvectors of the largest eigenvalues above 0, at most `count`, in falling order.
  fileprivate func largestEigenvectors(_ count: Int) -> [[Double]] {
    let (values, vectors) = eigenvectors()
    let largest = values.max() ?? 0
    let order = values.indices.sorted { (values[$0], $1) > (values[$1], $0) }
    return order.prefix(count).filter { largest > 0 && values[$0] > largest * 1e-12 }.map { vectors[$0] }
  }

  /// An orthonormal basis of nearly the space of the largest eigenvalues, of as many vectors as `start` has, by subspace
  /// iteration (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4). The eigenvalues may not be negative.
  fileprivate func dominantSubspace(from start: [[Double]]) -> [[Double]] {
    var basis = start.orthonormalBasis()
    for _ in 0..<8 { basis = basis.map { product($0) }.orthonormalBasis() }
    return basis
  }
}

extension [[Double]] {
  /// An orthonormal basis of what these vectors span, by the modified Gram–Schmidt process. A vector that is nearly in
  /// the span of those before it, but for rounding, adds none.
  fileprivate func orthonormalBasis() -> [[Double]] {
    var basis: [[Double]] = []
    for vector in self {
      var rest = vector
      // Twice is enough to be orthogonal within rounding (Parlett, The Symmetric Eigenvalue Problem, 6.9).
      for _ in 0..<2 {
        for direction in basis { rest.add(direction, times: -rest.dot(direction)) }
      }
      let length = rest.dot(rest).squareRoot()
      if length > vector.dot(vector).squareRoot() * 1e-13 { basis.append(rest.map { $0 / length }) }
    }
    return basis
  }

  /// The sum of these vectors, each times its weight.
  fileprivate func combination(_ weights: [Double]) -> [Double] {
    var sum = [Double](repeating: 0, count: first?.count ?? 0)
    for (vector, weight) in zip(self, weights) { sum.add(vector, times: weight) }
    return sum
  }
}

extension [Double] {
  /// In eight interleaved sums, so that every processor adds in the same order.
  func dot(_ other: [Double]) -> Double {
    withUnsafeBufferPointer { x in
      other.withUnsafeBufferPointer { y in
        let count = Swift.min(x.count, y.count)
        var sums = SIMD8<Double>.zero
        var place = 0
        while place + 8 <= count {
          for lane in 0..<8 { sums[lane] += x[place + lane] * y[place + lane] }
          place += 8
        }
        var sum = sums.sum()
        while place < count {
          sum += x[place] * y[place]
          place += 1
        }
        return sum
      }
    }
  }

  fileprivate mutating func add(_ other: [Double], times weight: Double) {
    withUnsafeMutableBufferPointer { x in
      other.withUnsafeBufferPointer { y in
        for place in 0..<Swift.min(x.count, y.count) { x[place] += weight * y[place] }
      }
    }
  }
}
