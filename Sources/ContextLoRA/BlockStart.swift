import LanguageModels
import TaskGraph

extension LoRAAdapter {
  /// Gives a phase's own columns the values of ``BlockStart/base``.
  ///
  /// At every target module, `Σ_p B_p A_p` over the prerequisites' columns, `[outputs, inputs]`, is approximated with the
  /// rank of the block by its truncated singular value decomposition, the best one in the Frobenius norm (Eckart and
  /// Young, 1936). With as many columns as one prerequisite it is exact. The rows of A get the mean length of fresh ones,
  /// 1/√3, and B the rest. Columns beyond the rank of the sum stay fresh.
  package mutating func startFromBase(_ phase: Phase) {
    let columns = phase.prerequisites.flatMap(\.block)
    guard !columns.isEmpty else { return }
    for (index, module) in modules.enumerated() {
      pairs[index].cancel(columns, with: Array(phase.block), inputs: module.inputs, rank: rank)
    }
  }
}

extension LoRAPair {
  /// - Parameters:
  ///   - columns: those whose sum is cancelled.
  ///   - block: those that get values.
  ///   - inputs: the inputs of the module.
  ///   - rank: the number of all columns.
  fileprivate mutating func cancel(_ columns: [Int], with block: [Int], inputs: Int, rank: Int) {
    let (count, outputs) = (columns.count, b.count / rank)
    // Rows of A and columns of B, each `[count, ·]`.
    let rows = columns.map { column in a[column * inputs..<(column + 1) * inputs].map(Double.init) }
    let heads = columns.map { column in (0..<outputs).map { Double(b[$0 * rank + column]) } }
    func products(_ vectors: [[Double]]) -> SymmetricMatrix {
      SymmetricMatrix(vectors.count) { i, j in zip(vectors[i], vectors[j]).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    // A = Q √Λ W, where the rows of W are orthonormal.
    let input = products(rows).eigenvectors()
    let largest = input.values.max() ?? 0
    let kept = input.values.indices.filter { input.values[$0] > largest * 1e-12 && largest > 0 }
    guard !kept.isEmpty else { return }
    let roots = kept.map { input.values[$0].squareRoot() }
    let orthonormal = zip(kept, roots).map { index, root in
      Self.combination(rows, (0..<count).map { input.vectors[index][$0] / root })
    }
    // B Q √Λ, whose columns are rotated until they are orthogonal: their lengths are the singular values.
    let scaled = zip(kept, roots).map { index, root in
      Self.combination(heads, (0..<count).map { input.vectors[index][$0] * root })
    }
    let output = products(scaled).eigenvectors()
    let order = output.values.indices.sorted {
      (output.values[$0], $1) > (output.values[$1], $0)
    }
    let most = output.values.max() ?? 0
    for (column, index) in zip(block, order) where output.values[index] > most * 1e-12 && most > 0 {
      let right = Self.combination(orthonormal, output.vectors[index])
      let left = Self.combination(scaled, output.vectors[index])
      for (place, value) in right.enumerated() { a[column * inputs + place] = Float(value * Self.rowLength) }
      for (place, value) in left.enumerated() { b[place * rank + column] = Float(-value / Self.rowLength) }
    }
  }

  /// The length of a fresh row of A: its elements are uniform in ±1/√inputs.
  private static let rowLength = (1.0 / 3).squareRoot()

  private static func combination(_ vectors: [[Double]], _ weights: [Double]) -> [Double] {
    var sum = [Double](repeating: 0, count: vectors.first?.count ?? 0)
    for (vector, weight) in zip(vectors, weights) {
      for place in sum.indices { sum[place] += weight * vector[place] }
    }
    return sum
  }
}
