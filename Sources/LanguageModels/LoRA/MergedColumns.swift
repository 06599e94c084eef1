import Checkpoint
import Tensor

/// Rank columns of an adapter that are merged into the weights instead of being computed beside them.
struct MergedColumns: Sendable {
  let adapter: LoRAAdapter
  let columns: [Int]

  /// Without columns, the weights are the model's own.
  var isEmpty: Bool { columns.isEmpty }

  /// Whether the adapter has any of a fused projection's layers.
  func adapts(_ group: FusedProjection, layer: Int) -> Bool {
    adapter.modules.contains { $0.layer == layer && group.projections.contains($0.projection) }
  }

  /// Adds `s Σ B_j A_j` over the columns `j` to a weight `[outputs, inputs]`; does nothing if the weight is
  /// not adapted.
  func add(
    to weight: UnsafeMutablePointer<Float>, _ projection: Projection, layer: Int, _ device: any ComputeDevice
  ) {
    guard !columns.isEmpty,
      let index = adapter.modules.firstIndex(where: { $0.layer == layer && $0.projection == projection })
    else { return }
    let (module, pair) = (adapter.modules[index], adapter.pairs[index])
    let a = columns.flatMap { pair.a[$0 * module.inputs..<($0 + 1) * module.inputs] }
    let b = (0..<module.outputs).flatMap { row in
      columns.map { pair.b[row * adapter.rank + $0] * adapter.scale }
    }
    device.addProduct(b, a, rows: module.outputs, inner: columns.count, columns: module.inputs, to: weight)
  }
}

extension LlamaStage {
  /// Calls `body` while the frozen ones of `columns` are part of the weights, `W0 + s Σ B_j A_j`, so that
  /// columns that do not change while others train cost nothing. Afterwards the weights are the model's own
  /// again, bit for bit.
  ///
  /// - Parameters:
  ///   - wanted: whether to merge. A device that does not store sums never does.
  ///   - body: receives the columns that must still be computed beside the weights. Nothing else may compute
  ///     with the stage meanwhile.
  /// - Throws: the errors of `body`, and the source's error if the weights cannot be read again.
  package func withMerged<Result>(
    _ columns: ColumnView, of adapter: LoRAAdapter, if wanted: Bool = true,
    _ body: (_ computed: ColumnView) throws -> Result
  ) throws -> Result {
    guard wanted, device.storesSums, !columns.frozen.isEmpty else { return try body(columns) }
    let result: Result
    do {
      try merge(adapter, columns: columns.frozen)
      result = try body(ColumnView(frozen: [], trainable: columns.trainable))
    } catch {
      try? merge(adapter, columns: [])
      throw error
    }
    try merge(adapter, columns: [])
    return result
  }

  /// Adds columns to the weights in the model's file; without columns, the weights become the model's own.
  private func merge(_ adapter: LoRAAdapter, columns: [Int]) throws {
    if columns.isEmpty, lowestMerged == nil { return }
    let merged = MergedColumns(adapter: adapter, columns: columns)
    let lowest = min(adapter.modules.first?.layer ?? layers.upperBound, lowestMerged ?? layers.upperBound)
    lowestMerged = lowest
    let blocks = blocks.suffix(layers.upperBound - max(lowest, layers.lowerBound))
    _ = try device.mapItems(blocks.count) { item, _ in
      for linear in blocks[blocks.startIndex + item].linears {
        try linear.merge(merged, source, device: device)
      }
    }
    if columns.isEmpty { lowestMerged = nil }
    source.forgetPages()
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
