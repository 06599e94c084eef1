import Checkpoint
import Tensor

/// The columns that one task computes with, compact and in the device's compute type, as read by the workers.
///
/// Unchecked: its values may only be changed while no worker is running.
package final class DeviceAdapter: @unchecked Sendable {
  /// The target modules.
  package let modules: [TargetModule]
  /// The columns in compact order.
  package let columns: ColumnView
  /// The layout of the trainable columns' gradients.
  package let layout: TrainableLayout
  /// The adapter's scale.
  package let scale: Float
  private let memory: DeviceMemory
  /// By layer and fused projection; `nil` if nothing is adapted.
  private let layers: [[LoRALayer?]]

  /// Copies `columns` of `adapter` to `device`.
  package init(
    _ adapter: LoRAAdapter, columns: ColumnView, configuration: LlamaConfiguration, device: any ComputeDevice
  ) {
    modules = adapter.modules
    self.columns = columns
    scale = adapter.scale
    layout = TrainableLayout(modules: adapter.modules, columns: columns.trainable.count)
    let rank = columns.active.count
    let type = device.computeType
    let modules = adapter.modules
    func plan(_ planner: inout ArenaPlanner) -> [[LoRALayer?]] {
      (0..<configuration.layerCount).map { layer in
        FusedProjection.allCases.map { fused in
          var members: [(module: Int, outputs: Range<Int>)] = []
          var start = 0
          for projection in fused.projections {
            let end = start + projection.shape(in: configuration).outputs
            if let module = modules.firstIndex(where: { $0.layer == layer && $0.projection == projection }) {
              members.append((module, start..<end))
            }
            start = end
          }
          guard let first = members.first, rank > 0 else { return nil }
          return LoRALayer(
            a: planner.matrix(
              rows: members.count * rank, columns: modules[first.module].inputs, type: type),
            members: members.enumerated().map { index, member in
              let end = (index + 1) * rank
              return LoRALayer.Member(
                module: member.module, outputs: member.outputs, active: index * rank..<end,
                trainable: end - columns.trainable.count..<end,
                b: planner.matrix(rows: member.outputs.count, columns: rank, type: type))
            },
            trainable: columns.trainable.count)
        }
      }
    }
    (memory, layers) = device.allocate(plan)
    let operations = device.makeOperations(threads: 1)
    for case let layer? in layers.joined() {
      for member in layer.members { write(adapter, layer, member, operations) }
    }
  }

  private func write(
    _ adapter: LoRAAdapter, _ layer: LoRALayer, _ member: LoRALayer.Member, _ operations: any TensorOperations
  ) {
    let pair = adapter.pairs[member.module]
    let inputs = layer.a.columns
    for (index, column) in columns.active.enumerated() {
      let row = member.active.lowerBound + index
      let a = Array(pair.a[column * inputs..<(column + 1) * inputs])
      operations.write(a, scale: 1, into: layer.a.rows(row..<row + 1))
      let b = member.outputs.indices.map {
        pair.b[($0 - member.outputs.lowerBound) * adapter.rank + column]
      }
      operations.write(b, scale: scale, into: member.b.columns(index..<index + 1))
    }
  }

  /// Bytes allocated.
  package var byteCount: Int { memory.byteCount }

  /// The columns of a fused projection in a transformer block; `nil` if nothing is adapted.
  func layer(_ projection: FusedProjection, of block: Int) -> LoRALayer? {
    layers[block][projection.rawValue]
  }

  /// Writes new values of the trainable columns, given flat in ``layout``.
  ///
  /// - Precondition: there are as many values as the layout has.
  package func write(_ flat: [Float], device: any ComputeDevice) {
    precondition(flat.count == layout.count, "DeviceAdapter: values of another layout")
    let parts = device.workerCount
    flat.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      nonisolated(unsafe) let address = base
      device.onEachWorker { index in
        refresh(address, part: index, of: parts, device.makeOperations(threads: 1))
      }
    }
  }

  /// Writes new values of the trainable columns, given flat in ``layout``. Handles `part` of `parts` of the
  /// layers, so that workers can share the work.
  func refresh(_ flat: UnsafePointer<Float>, part: Int, of parts: Int, _ operations: any TensorOperations) {
    let count = columns.trainable.count
    guard count > 0 else { return }
    for block in stride(from: part, to: layers.count, by: parts) {
      for case let layer? in layers[block] {
        for member in layer.members {
          operations.write(
            flat + layout.aOffsets[member.module], scale: 1, into: layer.a.rows(member.trainable))
          operations.write(
            flat + layout.bOffsets[member.module], scale: scale,
            into: member.b.columns(member.active.count - count..<member.active.count))
        }
      }
    }
  }
}
