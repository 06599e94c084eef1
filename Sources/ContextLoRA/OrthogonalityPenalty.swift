import LanguageModels
import Tensor

/// The penalty of O-LoRA (Wang et al., arXiv 2310.14152): λ Σ |A_t A_fᵀ| over the rows of A that train and those that
/// are frozen, at every target module. It keeps what a task learns orthogonal to what earlier tasks have learnt. The
/// paper's formula has squares in place of absolute values; its authors' program, which the value of λ comes from, has
/// these.
package struct OrthogonalityPenalty: Sendable {
  private let weight: Float
  private let layout: TrainableLayout
  private let device: any ComputeDevice
  /// For each target module, the frozen rows of A, `[frozen, inputs]`, and their transpose.
  private let frozen: [(rows: [Float], transposed: [Float])]
  private let frozenCount: Int

  /// - Returns: `nil` if nothing is frozen.
  package init?(_ adapter: LoRAAdapter, _ columns: ColumnView, weight: Float, device: any ComputeDevice) {
    guard !columns.frozen.isEmpty else { return nil }
    (self.weight, self.device) = (weight, device)
    layout = TrainableLayout(modules: adapter.modules, columns: columns.trainable.count)
    frozenCount = columns.frozen.count
    frozen = zip(adapter.modules, adapter.pairs).map { module, pair in
      let rows = columns.frozen.flatMap { pair.a[$0 * module.inputs..<($0 + 1) * module.inputs] }
      var transposed = [Float](repeating: 0, count: rows.count)
      for row in columns.frozen.indices {
        for input in 0..<module.inputs {
          transposed[input * columns.frozen.count + row] = rows[row * module.inputs + input]
        }
      }
      return (rows, transposed)
    }
  }

  /// Adds its gradient with respect to the trained rows of A, `λ sign(A_t A_fᵀ) A_f`.
  ///
  /// - Parameters:
  ///   - parameters: the trained columns, flat in their layout.
  ///   - gradient: the gradient in the same layout, `[1, count]` float32.
  package func add(for parameters: [Float], to gradient: Matrix) {
    let (columns, count) = (layout.columns, frozenCount)
    _ = device.mapItems(layout.modules.count) { index, _ in
      let inputs = layout.modules[index].inputs
      let start = layout.aOffsets[index]
      let own = Array(parameters[start..<start + columns * inputs])
      var products = [Float](repeating: 0, count: columns * count)
      products.withUnsafeMutableBufferPointer { target in
        guard let base = target.baseAddress else { return }
        device.addProduct(
          own, frozen[index].transposed, rows: columns, inner: inputs, columns: count, to: base)
      }
      let signs = products.map { $0 > 0 ? weight : $0 < 0 ? -weight : 0 }
      device.addProduct(
        signs, frozen[index].rows, rows: columns, inner: count, columns: inputs,
        to: gradient.address.assumingMemoryBound(to: Float.self) + start)
    }
  }
}
