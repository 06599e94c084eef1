import Checkpoint
import Tensor

/// Linear layers that read the same input, so that their A matrices stand as one.
enum InputGroup: Int, CaseIterable {
  case attentionInput, attentionOutput, feedForwardInput, feedForwardOutput

  var projections: [Projection] {
    switch self {
    case .attentionInput: [.q_proj, .k_proj, .v_proj]
    case .attentionOutput: [.o_proj]
    case .feedForwardInput: [.gate_proj, .up_proj]
    case .feedForwardOutput: [.down_proj]
    }
  }
}

/// The active columns of one input group of one layer, as two dense matrices.
///
/// The columns of all members stand side by side: first every member's frozen columns, then every member's
/// trainable ones. `b` is block-diagonal: a member's columns are zero in the rows of the others, so that one
/// product serves all members.
struct AdaptedGroup {
  /// One adapted layer of the group.
  struct Member {
    /// Its place in the adapter's sites.
    let site: Int
    /// The rows of `b` that are its own: its columns of the group's fused output.
    let outputs: Range<Int>
  }
  /// `[members * active, inputs]`.
  let a: Matrix
  /// `[fused outputs, members * active]`, times the adapter's scale.
  let b: Matrix
  /// In the order of the adapter's sites, which is consecutive.
  let members: [Member]
  /// Trainable columns of each member.
  let trainable: Int

  /// The trainable columns of all members.
  var trainableColumns: Range<Int> { a.rows - members.count * trainable..<a.rows }

  /// Where the column at `place` of the compact order of member `member` stands.
  func column(_ place: Int, of member: Int) -> Int {
    let frozen = a.rows / members.count - trainable
    return place < frozen
      ? member * frozen + place : members.count * frozen + member * trainable + place - frozen
  }
}

/// The columns that one task computes with, compact and in the device's compute type, as the workers read
/// them. Whoever changes it sees to it that no worker is running.
///
/// Unchecked for that reason.
public final class AdapterView: @unchecked Sendable {
  /// The adapted layers.
  public let sites: [AdapterSite]
  /// Which columns, in which order.
  public let columns: ColumnView
  /// Where the trainable ones stand in gradients.
  public let layout: TrainableLayout
  /// The adapter's scale.
  public let scale: Float
  private let memory: DeviceMemory
  /// By layer and group; `nil` where nothing is adapted.
  private var groups: [[AdaptedGroup?]] = []

  /// Copies `columns` of `adapter` to `device`.
  public init(
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
        InputGroup.allCases.map { group in
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
            b: planner.matrix(rows: start, columns: members.count * rank, type: type),
            members: members.map { AdaptedGroup.Member(site: $0.site, outputs: $0.outputs) },
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
      for member in group.members.indices { write(adapter, group, member, operations) }
    }
  }

  private func write(
    _ adapter: LoRAAdapter, _ group: AdaptedGroup, _ member: Int, _ operations: any TensorOperations
  ) {
    let pair = adapter.pairs[group.members[member].site]
    let outputs = group.members[member].outputs
    let inputs = group.a.columns
    for (place, column) in columns.active.enumerated() {
      let target = group.column(place, of: member)
      let a = Array(pair.a[column * inputs..<(column + 1) * inputs])
      operations.write(a, scale: 1, into: group.a.rows(target..<target + 1))
      let b = outputs.indices.map { pair.b[($0 - outputs.lowerBound) * adapter.rank + column] }
      operations.write(b, scale: scale, into: group.b.rows(outputs).columns(target..<target + 1))
    }
  }

  /// Bytes held.
  public var byteCount: Int { memory.byteCount }

  /// The group of a layer; `nil` where nothing is adapted.
  func group(_ group: InputGroup, layer: Int) -> AdaptedGroup? { groups[layer][group.rawValue] }

  /// Writes new values of the trainable columns, given flat in ``layout``; `part` of `parts` of the layers,
  /// so that workers can share it.
  func refresh(_ flat: UnsafePointer<Float>, part: Int, of parts: Int, _ operations: any TensorOperations) {
    let count = columns.trainable.count
    guard count > 0 else { return }
    for layer in stride(from: part, to: groups.count, by: parts) {
      for case let group? in groups[layer] {
        for (place, member) in group.members.enumerated() {
          let first = group.trainableColumns.lowerBound + place * count
          let own = first..<first + count
          operations.write(flat + layout.aOffsets[member.site], scale: 1, into: group.a.rows(own))
          operations.write(
            flat + layout.bOffsets[member.site], scale: scale,
            into: group.b.rows(member.outputs).columns(own))
        }
      }
    }
  }
}
