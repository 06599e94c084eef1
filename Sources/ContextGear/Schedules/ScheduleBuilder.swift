extension Schedule {
  /// The groups of a plan that a schedule contains. Messages to and from an omitted group are omitted too, as
  /// if that group were never late.
  package enum Part: Sendable { case all, trained, forward }

  /// Lays out the operations of a plan.
  ///
  /// In each step, the stages of a group do the following:
  /// - `D_f` receives the refined columns of `staleness` steps ago, then runs its micro-batches in waves,
  ///   pass after pass.
  /// - `D_t` runs forwards and backwards in the plan's order. With overlap, it does its share of the next
  ///   step's forward-only work between and after the last backwards; without, it does its share of this
  ///   step's at the start. Then come gradient norms (and sums of replicas), the update, and the columns to
  ///   `D_f`.
  ///
  /// `D_f` does the forward-only work of the first micro-batches, and `D_t` that of the last `shared` ones,
  /// which is needed last.
  ///
  /// - Parameters:
  ///   - deviceCount: the number of devices in the cluster.
  ///   - steps: the number of optimiser steps to lay out.
  package init(
    _ plan: Plan, workload: Workload, shape: ModelShape, deviceCount: Int, steps: Int, part: Part = .all
  ) {
    var builder = ScheduleBuilder(plan: plan, workload: workload, shape: shape, steps: steps, part: part)
    builder.build()
    self.init(
      deviceCount: deviceCount, steps: steps, stages: builder.stages, operations: builder.operations,
      starts: builder.starts, messageLimit: builder.messageLimit)
  }
}

/// Builds a schedule stage by stage. Message numbers are computed, so both ends agree on them.
private struct ScheduleBuilder {
  typealias MicroBatchPass = StageOperation.MicroBatchPass

  let plan: Plan
  let workload: Workload
  let shape: ModelShape
  let steps: Int
  let part: Schedule.Part
  /// Whether forward-only work on `D_t` runs one step ahead.
  let overlaps: Bool
  var stages: [Schedule.Stage] = []
  var operations: [StageOperation] = []
  var starts: [Int] = [0]

  /// The first message number of each pipeline.
  private var bases: [Int] = []
  /// The pairs of stages that exchange gradients: stage `child` of pipeline `pipeline` and stage `parent` of
  /// its parent pipeline in a binary tree.
  private var edges: [(pipeline: Int, child: Int, parent: Int, layers: Int)] = []
  private var edgesOf: [[Int]] = []
  private var edgeBase = 0
  var messageLimit: Int { edgeBase + 2 * steps * edges.count }

  /// The number of forward-only passes.
  private var passes: Int { workload.forwardOnly.count }
  /// A chosen option takes two bytes. A message contains the options of all passes so far.
  private func answerBytes(after pass: Int, _ samples: Int) -> Int { 2 * (pass + 1) * samples }

  init(plan: Plan, workload: Workload, shape: ModelShape, steps: Int, part: Schedule.Part) {
    (self.plan, self.workload, self.shape, self.steps, self.part) = (plan, workload, shape, steps, part)
    overlaps = plan.overlap && workload.mayOverlap
    for pipeline in plan.pipelines {
      bases.append(edgeBase)
      let (t, f) = (pipeline.trained.count, pipeline.forward.count)
      edgeBase += steps * (pipeline.count * ((passes + 1) * (t + f) + t) + t * f + 2 * t)
    }
    edgesOf = [[Int]](repeating: [], count: plan.pipelines.count)
    for child in plan.pipelines.indices.dropFirst() {
      let parent = (child - 1) / 2
      for (s, own) in plan.pipelines[child].trained.enumerated() {
        for (t, other) in plan.pipelines[parent].trained.enumerated() {
          let shared = own.layers.clamped(to: other.layers)
          guard !shared.isEmpty else { continue }
          edgesOf[child].append(edges.count)
          edgesOf[parent].append(edges.count)
          edges.append((child, s, t, shape.adapted(shared)))
        }
      }
    }
  }

  mutating func build() {
    for (index, pipeline) in plan.pipelines.enumerated() {
      if part != .forward {
        for s in pipeline.trained.indices {
          open(pipeline.trained[s], index, trains: true, s)
          trainedStage(index, s)
          starts.append(operations.count)
        }
      }
      if part != .trained {
        for s in pipeline.forward.indices {
          open(pipeline.forward[s], index, trains: false, s)
          forwardStage(index, s)
          starts.append(operations.count)
        }
      }
    }
  }

  private mutating func open(_ stage: Plan.Stage, _ pipeline: Int, trains: Bool, _ s: Int) {
    let own = plan.pipelines[pipeline]
    let inFlight =
      trains
      ? Plan.inFlight(plan.order, stage: s, stages: own.trained.count, count: own.count) : 0
    stages.append(
      Schedule.Stage(
        device: stage.device, first: stage.first, end: stage.end, pipeline: pipeline, trains: trains,
        microBatch: own.microBatch, inFlight: inFlight))
  }

  // MARK: Operations of a stage

  private mutating func forwardStage(_ p: Int, _ s: Int) {
    let pipeline = plan.pipelines[p]
    for step in 0..<steps {
      let update = step - 1 - workload.staleness
      if update >= 0 { columns(p, update: update, forward: s, receives: true) }
      let own = 0..<(pipeline.count - pipeline.shared)
      for unit in units(own, step: step, stages: pipeline.forward.count) {
        forward(p, s, trains: false, unit)
      }
    }
  }

  private mutating func trainedStage(_ p: Int, _ s: Int) {
    let pipeline = plan.pipelines[p]
    let (passes, count, stages) = (passes, pipeline.count, pipeline.trained.count)
    let inFlight = Plan.inFlight(plan.order, stage: s, stages: stages, count: count)
    let shared = (count - pipeline.shared)..<count
    for step in 0..<steps {
      func trained(_ micro: Int) -> MicroBatchPass {
        MicroBatchPass(step: step, pass: passes, microBatch: micro)
      }
      if !overlaps || step == 0 {
        for unit in units(shared, step: step, stages: stages) { forward(p, s, trains: true, unit) }
      }
      for micro in 0..<inFlight { forward(p, s, trains: true, trained(micro)) }
      var ahead =
        overlaps && step + 1 < steps ? units(shared, step: step + 1, stages: stages)[...] : []
      for micro in 0..<count {
        backward(p, s, trained(micro))
        if micro + inFlight < count {
          forward(p, s, trains: true, trained(micro + inFlight))
        } else if let unit = ahead.popFirst() {
          forward(p, s, trains: true, unit)
        }
      }
      for unit in ahead { forward(p, s, trains: true, unit) }
      reduce(p, s, step: step)
      operations.append(.update(step: step))
      for f in pipeline.forward.indices where step + 1 + workload.staleness < steps {
        columns(p, update: step, forward: f, receives: false, trained: s)
      }
    }
  }

  /// The forward-only work of some micro-batches, in waves. A wave has just enough micro-batches to keep the
  /// stages busy while answers come back, and goes through all passes, so that the first answers are ready
  /// early.
  private func units(_ micros: Range<Int>, step: Int, stages: Int) -> [MicroBatchPass] {
    let width = 2 * stages - 1
    return stride(from: micros.lowerBound, to: micros.upperBound, by: width).flatMap { first in
      (0..<passes).flatMap { pass in
        (first..<min(first + width, micros.upperBound)).map {
          MicroBatchPass(step: step, pass: pass, microBatch: $0)
        }
      }
    }
  }

  // MARK: Single operations and messages

  private mutating func send(_ content: StageOperation.Content, to peer: Int, number: Int, bytes: Int) {
    operations.append(
      .send(StageOperation.Message(content: content, peer: peer, number: number, bytes: bytes)))
  }

  private mutating func receive(_ content: StageOperation.Content, from peer: Int, number: Int, bytes: Int) {
    operations.append(
      .receive(StageOperation.Message(content: content, peer: peer, number: number, bytes: bytes)))
  }

  private mutating func forward(_ p: Int, _ s: Int, trains: Bool, _ unit: MicroBatchPass) {
    let pipeline = plan.pipelines[p]
    let group = trains ? pipeline.trained : pipeline.forward
    let (k, pass) = (pipeline.microBatch, unit.pass)
    let rows = (pass == passes ? workload.trained : workload.forwardOnly[pass]).rows(samples: Double(k))
    // The options chosen so far precede the rows, padded to a multiple of 64 bytes.
    let header = (answerBytes(after: pass - 1, k) + 63) / 64 * 64
    let bytes = header + Int(rows * Double(workload.wireBytes(shape)))
    func output(_ trains: Bool, _ s: Int, _ pass: Int) -> Int {
      let local = trains ? s : pipeline.trained.count + s
      let width = pipeline.trained.count + pipeline.forward.count
      return bases[p] + ((unit.step * (passes + 1) + pass) * pipeline.count + unit.microBatch) * width + local
    }
    if s > 0 {
      receive(
        .activation(unit), from: group[s - 1].device, number: output(trains, s - 1, pass), bytes: bytes)
    } else if pass > 0 {
      // The previous forward-only pass, in the group that does it for this micro-batch.
      let onTrained = pass < passes ? trains : unit.microBatch >= pipeline.count - pipeline.shared
      let source = onTrained ? pipeline.trained : pipeline.forward
      if (part == .all || onTrained == trains), source[source.count - 1].device != group[0].device {
        var previous = unit
        previous.pass -= 1
        receive(
          .answers(previous), from: source[source.count - 1].device,
          number: output(onTrained, source.count - 1, pass - 1), bytes: answerBytes(after: pass - 1, k))
      }
    }
    operations.append(.forward(unit))
    if s + 1 < group.count {
      send(.activation(unit), to: group[s + 1].device, number: output(trains, s, pass), bytes: bytes)
    } else if pass < passes {
      let toTrained = pass + 1 == passes || trains
      guard part == .all || toTrained == trains else { return }
      let target = toTrained ? pipeline.trained[0] : pipeline.forward[0]
      guard target.device != group[s].device else { return }
      send(
        .answers(unit), to: target.device, number: output(trains, s, pass),
        bytes: answerBytes(after: pass, k))
    }
  }

  private mutating func backward(_ p: Int, _ s: Int, _ unit: MicroBatchPass) {
    let pipeline = plan.pipelines[p]
    let group = pipeline.trained
    let base = bases[p] + steps * (passes + 1) * pipeline.count * (group.count + pipeline.forward.count)
    let bytes = Int(
      workload.trained.rows(samples: Double(pipeline.microBatch)) * Double(workload.wireBytes(shape)))
    func gradient(_ s: Int) -> Int {
      base + (unit.step * pipeline.count + unit.microBatch) * group.count + s
    }
    if s + 1 < group.count {
      receive(.gradient(unit), from: group[s + 1].device, number: gradient(s + 1), bytes: bytes)
    }
    operations.append(.backward(unit))
    if s > 0 { send(.gradient(unit), to: group[s - 1].device, number: gradient(s), bytes: bytes) }
  }

  /// Refined columns after an update: one message for each pair of stages that share layers.
  private mutating func columns(_ p: Int, update: Int, forward f: Int, receives: Bool, trained: Int? = nil) {
    guard workload.refinedColumns > 0, part == .all else { return }
    let pipeline = plan.pipelines[p]
    let base = tail(p)
    for t in trained.map({ $0..<$0 + 1 }) ?? pipeline.trained.indices {
      let layers = pipeline.trained[t].layers.clamped(to: pipeline.forward[f].layers)
      guard !layers.isEmpty else { continue }
      let number = base + (update * pipeline.trained.count + t) * pipeline.forward.count + f
      // In float32, so that the passes see the same values as in a single process.
      let bytes = 4 * shape.adapted(layers) * workload.refinedColumns * shape.columnValues
      if receives {
        receive(.columns(after: update), from: pipeline.trained[t].device, number: number, bytes: bytes)
      } else {
        send(.columns(after: update), to: pipeline.forward[f].device, number: number, bytes: bytes)
      }
    }
  }

  /// The first message number after those of activations and gradients.
  private func tail(_ p: Int) -> Int {
    let pipeline = plan.pipelines[p]
    let (t, f) = (pipeline.trained.count, pipeline.forward.count)
    return bases[p] + steps * pipeline.count * ((passes + 1) * (t + f) + t)
  }

  /// The messages between the last backward and the update: replicas' sums up the tree, the norm over the
  /// root's stages, and both back down.
  private mutating func reduce(_ p: Int, _ s: Int, step: Int) {
    func sums(_ ways: [(edge: Int, device: Int)], up: Bool, _ add: (StageOperation.Message) -> StageOperation)
    {
      for (edge, device) in ways {
        operations.append(
          add(
            StageOperation.Message(
              content: .sums(step: step), peer: device,
              number: edgeBase + 2 * (step * edges.count + edge) + (up ? 0 : 1),
              bytes: Schedule.sumsHeaderBytes
                + edges[edge].layers * workload.trainedColumns * shape.columnValues * 4)))
      }
    }
    let children = edgesOf[p].filter { edges[$0].pipeline != p && edges[$0].parent == s }.map {
      (edge: $0, device: plan.pipelines[edges[$0].pipeline].trained[edges[$0].child].device)
    }
    let parents = edgesOf[p].filter { edges[$0].pipeline == p && edges[$0].child == s }.map {
      (edge: $0, device: plan.pipelines[(p - 1) / 2].trained[edges[$0].parent].device)
    }
    sums(children, up: true, StageOperation.receive)
    sums(parents, up: true, StageOperation.send)
    if p == 0 { norm(s, step: step) }
    sums(parents, up: false, StageOperation.receive)
    sums(children, up: false, StageOperation.send)
  }

  /// Collects each stage's loss and the squared norm of each of its seven linear layers per block, and sends
  /// back the total loss and norm.
  private mutating func norm(_ s: Int, step: Int) {
    func bytes(_ stage: Plan.Stage) -> Int { 8 * (1 + 7 * shape.adapted(stage.layers)) }
    let group = plan.pipelines[0].trained
    let base = tail(0) + steps * group.count * plan.pipelines[0].forward.count
    func up(_ s: Int) -> Int { base + 2 * (step * group.count + s) }
    if s == 0 {
      for t in group.indices.dropFirst() {
        receive(.norm(step: step), from: group[t].device, number: up(t), bytes: bytes(group[t]))
      }
      for t in group.indices.dropFirst() {
        send(.norm(step: step), to: group[t].device, number: up(t) + 1, bytes: 16)
      }
    } else {
      send(.norm(step: step), to: group[0].device, number: up(s), bytes: bytes(group[s]))
      receive(.norm(step: step), from: group[0].device, number: up(s) + 1, bytes: 16)
    }
  }
}
