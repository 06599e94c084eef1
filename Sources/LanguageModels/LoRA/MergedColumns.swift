import Checkpoint
import Tensor

/// Rank columns of an adapter that are merged into the weights instead of being computed beside them.
struct MergedColumns: Sendable {
  private let adapter: LoRAAdapter
  private let columns: [Int]

  init(_ adapter: LoRAAdapter, _ columns: [Int]) {
    self.adapter = adapter
    self.columns = columns
  }

  /// Without columns, the weights are the model's own.
  var isEmpty: Bool { columns.isEmpty }

  /// Whether the adapter has any of a fused projection's layers.
  func adapts(_ group: FusedProjection, layer: Int) -> Bool {
    adapter.sites.contains { $0.layer == layer && group.projections.contains($0.projection) }
  }

  /// Adds `s Σ B_j A_j` over the columns `j` to a weight `[outputs, inputs]`; does nothing if the weight is
  /// not adapted.
  func add(
    to weight: UnsafeMutablePointer<Float>, _ projection: Projection, layer: Int, _ device: any ComputeDevice
  ) {
    guard !columns.isEmpty,
      let place = adapter.sites.firstIndex(where: { $0.layer == layer && $0.projection == projection })
    else { return }
    let (site, pair) = (adapter.sites[place], adapter.pairs[place])
    let a = columns.flatMap { pair.a[$0 * site.inputs..<($0 + 1) * site.inputs] }
    let b = (0..<site.outputs).flatMap { row in
      columns.map { pair.b[row * adapter.rank + $0] * adapter.scale }
    }
    device.addProduct(b, a, rows: site.outputs, inner: columns.count, columns: site.inputs, to: weight)
  }
}

extension Projection {
  /// The weight of this projection in a layer.
  func weight(layer: Int) -> WeightName {
    switch self {
    case .q_proj: .query(layer: layer)
    case .k_proj: .key(layer: layer)
    case .v_proj: .value(layer: layer)
    case .o_proj: .attentionOutput(layer: layer)
    case .gate_proj: .gate(layer: layer)
    case .up_proj: .up(layer: layer)
    case .down_proj: .down(layer: layer)
    }
  }
}
