import ContextGear
import Transport

/// A pipeline as one of its ranks sees it: rank `r` holds the layers `cuts[r]` of the model.
public struct Pipeline: Sendable {
  /// How the ranks send each other bytes.
  public let transport: any Transport
  /// The layers of each rank, in the order of the ranks; together they are the model.
  public let cuts: [Range<Int>]
  /// In which order forwards and backwards are done.
  public let order: Plan.Order
  /// How activations and gradients are written into messages.
  public let wire: WireFormat
  /// Seconds that one message is waited for.
  public let deadline: Double

  /// - Precondition: the layers follow one another from 0, and there are as many ranges as ranks.
  public init(
    _ transport: any Transport, cuts: [Range<Int>], order: Plan.Order = .oneForwardOneBackward,
    wire: WireFormat = .bfloat16, deadline: Double = 600
  ) {
    precondition(cuts.count == transport.size, "a range of layers for each rank")
    precondition(cuts.first?.lowerBound == 0 && !cuts.contains(where: \.isEmpty), "layers are missing")
    precondition(
      zip(cuts, cuts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }, "layers do not follow")
    self.transport = transport
    self.cuts = cuts
    self.order = order
    self.wire = wire
    self.deadline = deadline
  }

  /// The layers of this rank.
  public var layers: Range<Int> { cuts[transport.rank] }

  /// The stages of a model in ranges as equal as can be, the longer ones first.
  ///
  /// - Precondition: there are no more stages than layers.
  public static func uniformCuts(layers: Int, stages: Int) -> [Range<Int>] {
    precondition(stages > 0 && stages <= layers, "\(stages) stages of \(layers) layers")
    var start = 0
    return (0..<stages).map { stage in
      let count = layers / stages + (stage < layers % stages ? 1 : 0)
      defer { start += count }
      return start..<start + count
    }
  }

  /// What this rank does in an optimiser step of `count` micro-batches, in order: the operations of the plan's
  /// schedule that move or compute a micro-batch.
  func operations(count: Int) -> [Operation] {
    let stages = cuts.enumerated().map { Plan.Stage(device: $0.offset, layers: $0.element) }
    let plan = Plan(
      order: order, overlap: false,
      pipelines: [
        Plan.Pipeline(trained: stages, forward: [], samples: count, microBatch: 1, shared: 0)
      ])
    let workload = Workload(
      forwardOnly: [], trained: Workload.Pass(task: "", tokens: 1, labels: 1), samples: count,
      trainedColumns: 0)
    let shape = ModelShape(
      layers: cuts[cuts.count - 1].upperBound, hidden: 1, heads: 1, keyValueHeads: 1, headDimension: 1,
      feedForward: 1, vocabulary: 1)
    let schedule = Schedule(plan, workload: workload, shape: shape, deviceCount: cuts.count, steps: 1)
    return schedule.operations(of: transport.rank).filter {
      $0.kind != .update && ($0.payload == .none || $0.payload == .activation || $0.payload == .gradient)
    }
  }
}
