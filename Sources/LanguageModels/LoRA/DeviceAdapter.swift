import Checkpoint
import Tensor

/// Linear layers with the same input, with their A matrices stacked into one.
enum FusedProjection: Int, CaseIterable {
  case qkv, attentionOutput, gateUp, down

  var projections: [Projection] {
    switch self {
    case .qkv: [.q_proj, .k_proj, .v_proj]
    case .attentionOutput: [.o_proj]
    case .gateUp: [.gate_proj, .up_proj]
    case .down: [.down_proj]
    }
  }
}

/// The active columns of one fused projection in one layer: the A of all members as one dense matrix, and
/// each member's B.
///
/// The members' columns are side by side, a member's frozen ones before its trainable ones.
struct AdaptedGroup {
  /// One adapted layer of the fused projection.
  struct Member {
    /// Its index in the adapter's target modules.
    let site: Int
    /// Its columns of the fused output.
    let outputs: Range<Int>
    /// Its rows of `a`, and columns of x Aᵀ: frozen and trainable.
    let active: Range<Int>
    /// The trainable ones among `active`.
    let trainable: Range<Int>
    /// `[outputs, active]`, times the adapter's scale.
    let b: Matrix
  }
  /// `[members * active, inputs]`.
  let a: Matrix
  /// In the order of the adapter's target modules, where they are consecutive.
  let members: [Member]
  /// The number of trainable columns of each member.
  let trainable: Int
}

/// The columns that one task computes with, compact and in the device's compute type, as read by the workers.
///
/// Unchecked: whoever changes it must ensure that no worker is running.
package final class DeviceAdapter: @unchecked Sendable {
  /// The target modules.
  package let sites: [TargetModule]
  /// The columns in compact order.
  package let columns: ColumnView
  /// The layout of the trainable columns' gradients.
  package let layout: TrainableLayout
  /// The adapter's scale.
  package let scale: Float
  private let memory: DeviceMemory
  /// By layer and fused projection; `nil` if nothing is adapted.
  private var groups: [[AdaptedGroup?]] = []

  /// Copies `columns` of `adapter` to `device`.
  package init(
    _ adapter: LoRAAdapter, columns: ColumnView, configuration: LlamaConfiguration,
    device: any ComputeDevice
  ) {
    sites = adapter.sites
    self.columns = columns
    scale = adapter.scale
    layout = TrainableLayout(sites: adapter.sites, columns: columns.trainable.count)
    let rank = columns.active.count
    let type = device.computeType
    let sites = adapter.sites
    func plan(_ planner: inout ArenaPlanner) -> [[AdaptedGroup?]] {
      (0..<configuration.layerCount).map { layer in
        FusedProjection.allCases.map { group in
          var members: [(site: Int, outputs: Range<Int>)] = []
          var start = 0
          for projection in group.projections {
            let end = start + projection.shape(in: configuration).outputs
            if let site = sites.firstIndex(where: { $0.layer == layer && $0.projection == projection }) {
              members.append((site, start..<end))
            }
            start = end
          }
          guard let first = members.first, rank > 0 else { return nil }
          return AdaptedGroup(
            a: planner.matrix(
              rows: members.count * rank, columns: sites[first.site].inputs, type: type),
            members: members.enumerated().map { place, member in
              let end = (place + 1) * rank
              return AdaptedGroup.Member(
                site: member.site, outputs: member.outputs, active: place * rank..<end,
                trainable: end - columns.trainable.count..<end,
                b: planner.matrix(rows: member.outputs.count, columns: rank, type: type))
            },
            trainable: columns.trainable.count)
        }
      }
    }
    var counter = ArenaPlanner()
    _ = plan(&counter)
    memory = device.allocate(byteCount: counter.byteCount)
    var planner = ArenaPlanner(memory: memory)
    groups = plan(&planner)
    let operations = device.makeOperations(threads: 1)
    for case let group? in groups.joined() {
      for member in group.members { write(adapter, group, member, operations) }
    }
  }

  private func write(
    _ adapter: LoRAAdapter, _ group: AdaptedGroup, _ member: AdaptedGroup.Member,
    _ operations: any TensorOperations
  ) {
    let pair = adapter.pairs[member.site]
    let inputs = group.a.columns
    for (place, column) in columns.active.enumerated() {
      let row = member.active.lowerBound + place
      let a = Array(pair.a[column * inputs..<(column + 1) * inputs])
      operations.write(a, scale: 1, into: group.a.rows(row..<row + 1))
      let b = member.outputs.indices.map {
        pair.b[($0 - member.outputs.lowerBound) * adapter.rank + column]
      }
      operations.write(b, scale: scale, into: member.b.columns(place..<place + 1))
    }
  }

  /// Bytes allocated.
  package var byteCount: Int { memory.byteCount }

  /// The columns of a fused projection in a layer; `nil` if nothing is adapted.
  func group(_ group: FusedProjection, layer: Int) -> AdaptedGroup? { groups[layer][group.rawValue] }

  /// Writes new values of the trainable columns, given flat in ``layout``. Handles `part` of `parts` of the
  /// layers, so that workers can share the work.
  func refresh(_ flat: UnsafePointer<Float>, part: Int, of parts: Int, _ operations: any TensorOperations) {
    let count = columns.trainable.count
    guard count > 0 else { return }
    for layer in stride(from: part, to: groups.count, by: parts) {
      for case let group? in groups[layer] {
        for member in group.members {
          operations.write(
            flat + layout.aOffsets[member.site], scale: 1, into: group.a.rows(member.trainable))
          operations.write(
            flat + layout.bOffsets[member.site], scale: scale,
            into: member.b.columns(member.active.count - count..<member.active.count))
        }
      }
    }
  }
}
