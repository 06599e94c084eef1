import LanguageModels
import TaskGraph
import Tensor

extension LoRAAdapter {
  /// Gives a phase's own columns the values of ``BlockStart/base``.
  ///
  /// At every target module, `Σ_p B_p A_p` over the prerequisites' columns, `[outputs, inputs]`, is approximated with the
  /// rank of the block by its truncated singular value decomposition, the best one in the Frobenius norm (Eckart and
  /// Young, 1936), or close to it if there are many columns. With as many columns as one prerequisite it is exact. The
  /// rows of A get the mean length of fresh ones, 1/√3, and B the rest. Columns beyond the rank of the sum stay fresh.
  ///
  /// The values are the same on every processor.
  ///
  /// - Parameter device: its workers share the modules.
  package mutating func startFromBase(_ phase: Phase, on device: any ComputeDevice) {
    let columns = phase.prerequisites.flatMap(\.block)
    guard !columns.isEmpty else { return }
    let before = self
    pairs = device.mapItems(modules.count) { index, _ in
      before.pairs[index].cancelling(
        columns, with: Array(phase.block), inputs: before.modules[index].inputs, rank: before.rank)
    }
  }
}

extension LoRAPair {
  /// - Parameters:
  ///   - columns: those whose sum is cancelled.
  ///   - block: those that get values.
  ///   - inputs: the inputs of the module.
  ///   - rank: the number of all columns.
  fileprivate func cancelling(_ columns: [Int], with block: [Int], inputs: Int, rank: Int) -> LoRAPair {
    let outputs = b.count / rank
    func row(_ column: Int) -> [Double] { a[column * inputs..<(column + 1) * inputs].map(Double.init) }
    let sum = ColumnSum(
      rows: columns.map(row),
      columns: columns.map { column in (0..<outputs).map { Double(b[$0 * rank + column]) } })
    var pair = self
    for (column, part) in zip(block, sum.largestParts(block.count, from: block.map(row))) {
      for (place, value) in part.row.enumerated() {
        pair.a[column * inputs + place] = Float(value * Self.rowLength)
      }
      for (place, value) in part.column.enumerated() {
        pair.b[place * rank + column] = Float(-value / Self.rowLength)
      }
    }
    return pair
  }

  /// The length of a fresh row of A: its elements are uniform in ±1/√inputs.
  private static let rowLength = (1.0 / 3).squareRoot()
}
