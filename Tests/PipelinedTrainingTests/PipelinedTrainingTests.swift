import ContextGear
import ContextLoRA
import Foundation
import LanguageModels
import TaskGraph
import Tensor
import TestSupport
import Testing
import TrainingFixtures
import Transport

import PipelinedTraining

/// The partition, the groups and the order of work of a run over several ranks.
struct RunShape: Sendable, CustomTestStringConvertible {
  /// One pipeline's part.
  struct Part: Sendable {
    /// The layers of `D_t` and of `D_f`, by the ranks that hold them.
    var trained: [(rank: Int, layers: Range<Int>)]
    var forward: [(rank: Int, layers: Range<Int>)] = []
    var samples = 4
    var shared = 0
  }

  var name: String
  var parts: [Part]
  var microBatch: Int
  var order: Plan.Order
  var overlap: Bool
  /// Layers below it have no adapter.
  var firstAdaptedLayer = 0
  /// AdamW's; `nil` for the default.
  var epsilon: Double?

  /// One pipeline.
  init(
    name: String, trained: [(rank: Int, layers: Range<Int>)],
    forward: [(rank: Int, layers: Range<Int>)] = [], microBatch: Int = 2, shared: Int = 0,
    order: Plan.Order = .oneForwardOneBackward, overlap: Bool = true
  ) {
    self.init(
      name: name, replicas: [Part(trained: trained, forward: forward, shared: shared)],
      microBatch: microBatch, order: order, overlap: overlap)
  }

  /// Several replicas that share a batch.
  init(
    name: String, replicas: [Part], microBatch: Int, order: Plan.Order = .oneForwardOneBackward,
    overlap: Bool = true
  ) {
    (self.name, parts, self.microBatch, self.order, self.overlap) = (
      name, replicas, microBatch, order, overlap
    )
  }

  var testDescription: String { name }
  var ranks: Int { parts.reduce(0) { $0 + $1.trained.count + $1.forward.count } }

  var plan: Plan {
    func stages(_ group: [(rank: Int, layers: Range<Int>)]) -> [Plan.Stage] {
      group.map { Plan.Stage(device: $0.rank, layers: $0.layers) }
    }
    return Plan(
      order: order, overlap: overlap,
      pipelines: parts.map { part in
        Plan.Pipeline(
          trained: stages(part.trained), forward: stages(part.forward), samples: part.samples,
          microBatch: microBatch,
          shared: part.forward.isEmpty ? part.samples / microBatch : part.shared)
      })
  }
}

/// The results of a run.
private struct Outcome: Equatable, Sendable {
  var losses: [Double] = []
  var norms: [Double] = []
  var tokens: [Int] = []
  var checkpoint: Data?
  var bits: [UInt32] = []
  var events = 0
  var validations: [ValidationReport] = []
  var warnings: [TrainingWarning] = []
}

@Suite struct PipelinedTrainingTests {
  private static let shapes = [
    RunShape(name: "2 ranks train", trained: [(0, 0..<1), (1, 1..<3)]),
    RunShape(name: "2 ranks train, the last layers first", trained: [(1, 0..<1), (0, 1..<3)], microBatch: 1),
    RunShape(name: "1 trains, 1 answers", trained: [(0, 0..<3)], forward: [(1, 0..<3)]),
    RunShape(name: "1 answers as rank 0, 1 trains", trained: [(1, 0..<3)], forward: [(0, 0..<3)], shared: 1),
    RunShape(
      name: "2 train, 1 answers, a share with those that train", trained: [(0, 0..<1), (2, 1..<3)],
      forward: [(1, 0..<3)], microBatch: 1, shared: 2, order: .eager),
    RunShape(
      name: "2 train, 2 answer", trained: [(2, 0..<1), (1, 1..<3)], forward: [(0, 0..<2), (3, 2..<3)],
      shared: 1, order: .gpipe, overlap: false),
    RunShape(name: "3 ranks train", trained: [(0, 0..<1), (1, 1..<2), (2, 2..<3)], microBatch: 1),
    RunShape(
      name: "2 train, 2 answer, with overlap", trained: [(0, 0..<1), (1, 1..<3)],
      forward: [(2, 0..<1), (3, 1..<3)], microBatch: 1, shared: 1),
    // Replicas whose gradients are summed in the same order as in one process.
    RunShape(
      name: "2 replicas of 1 rank",
      replicas: [
        .init(trained: [(0, 0..<3)], samples: 2), .init(trained: [(1, 0..<3)], samples: 2),
      ], microBatch: 2),
    RunShape(
      name: "2 replicas cut at different layers",
      replicas: [
        .init(trained: [(2, 0..<1), (0, 1..<3)], samples: 2),
        .init(trained: [(1, 0..<2), (3, 2..<3)], samples: 2),
      ], microBatch: 2),
    RunShape(
      name: "2 replicas, one with a rank that answers; rank 0 in the second",
      replicas: [
        .init(trained: [(1, 0..<3)], forward: [(2, 0..<3)], samples: 2),
        .init(trained: [(0, 0..<3)], samples: 2),
      ], microBatch: 2),
    RunShape(
      name: "a replica whose later stage begins within the other's first one",
      replicas: [
        .init(trained: [(0, 0..<2), (1, 2..<3)], samples: 2),
        .init(trained: [(2, 0..<1), (3, 1..<3)], samples: 2),
      ], microBatch: 2),
    RunShape(
      name: "3 replicas with different parts of the batch",
      replicas: [
        .init(trained: [(0, 0..<2), (3, 2..<3)], samples: 2), .init(trained: [(1, 0..<3)], samples: 1),
        .init(trained: [(2, 0..<3)], samples: 1),
      ], microBatch: 1),
  ]

  /// Two levels of the tree of replicas, so that one process sums in another order.
  /// Replicas add gradients in another order than a single device. With the default epsilon, AdamW makes a step of ±lr
  /// of the sign of a gradient near 0.
  private static let deepTree = {
    var shape = RunShape(
      name: "4 replicas",
      replicas: (0..<4).map { .init(trained: [(rank: $0, layers: 0..<3)], samples: 1) }, microBatch: 1)
    shape.epsilon = 1e-2
    return shape
  }()

  private static func workflow(_ frozenRatio: Double, _ shape: RunShape, _ rule: FreezeRule) throws
    -> TinyWorkflow
  {
    try TinyWorkflow(
      frozenRatio: frozenRatio, freezeRule: rule, workers: 1, firstLayer: shape.firstAdaptedLayer)
  }

  private static func options(
    _ base: TinyWorkflow, _ shape: RunShape, staleness: Int, validates: Bool, checkpointEvery: Int = 4
  ) -> TrainingOptions {
    var options = base.options
    if validates {
      // Every rank gives a block its start.
      options.blockStart = .base
      // Windows end at validations and at checkpoints, and phases do not end at the planned step.
      options.validation = TrainingOptions.Validation(every: 3, patience: 2)
      options.learningRate = LearningRateSchedule(peak: 2e-2, shape: .wsd, minimumRatio: 0.1, cooldown: 0.3)
    }
    if let epsilon = shape.epsilon { options.adamW.epsilon = epsilon }
    options.microBatchSamples = shape.microBatch
    options.staleness = staleness
    options.checkpointEvery = checkpointEvery
    return options
  }

  private static func single(
    _ frozenRatio: Double, _ shape: RunShape, share: Double, staleness: Int, rule: FreezeRule = .leading,
    validates: Bool = false, in folder: URL
  ) throws -> Outcome {
    let base = try workflow(frozenRatio, shape, rule)
    let samples = TinyChoices(base, share: share, wholeModel: true)
    let trainer = WorkflowTrainer(
      base.model, schedule: base.schedule, adapter: base.adapter, samples: samples, answerer: samples,
      options: options(base, shape, staleness: staleness, validates: validates))
    let file = folder.appendingPathComponent("single.safetensors")
    var outcome = Outcome()
    _ = try trainer.run(to: destination(file)) { outcome.take($0) }
    outcome.checkpoint = try Data(contentsOf: file)
    outcome.bits = trainer.adapter.bits(of: Array(0..<8))
    return outcome
  }

  private static func destination(_ file: URL) -> CheckpointDestination {
    CheckpointDestination(url: file, workflow: "w", model: "m")
  }

  private static func cluster(
    _ frozenRatio: Double, _ shape: RunShape, share: Double, staleness: Int, rule: FreezeRule = .leading,
    stopAfter: Int? = nil, from checkpoint: URL? = nil, wire: WireFormat = .float32, validates: Bool = false,
    checkpointEvery: Int = 4, beforeGather: @escaping @Sendable (_ rank: Int) throws -> Void = { _ in },
    in folder: URL
  ) throws -> Outcome {
    let file = folder.appendingPathComponent("cluster.safetensors")
    let results = onEveryRank(InProcessTransport.job(size: shape.ranks)) { endpoint in
      do {
        return try Self.rank(
          endpoint, frozenRatio, shape, share: share, staleness: staleness, rule: rule, stopAfter: stopAfter,
          from: checkpoint, wire: wire, validates: validates, checkpointEvery: checkpointEvery,
          beforeGather: beforeGather, to: file)
      } catch {
        endpoint.abort("\(error)", code: 1)
        throw error
      }
    }
    var outcomes = try results.map { try $0.get() }
    // Every rank holds the whole adapter at the end of a phase.
    for outcome in outcomes where stopAfter == nil { #expect(outcome.bits == outcomes[0].bits) }
    outcomes[0].checkpoint = try Data(contentsOf: file)
    return outcomes[0]
  }

  private static func rank(
    _ endpoint: InProcessTransport, _ frozenRatio: Double, _ shape: RunShape, share: Double, staleness: Int,
    rule: FreezeRule, stopAfter: Int?, from checkpoint: URL?, wire: WireFormat, validates: Bool,
    checkpointEvery: Int, beforeGather: @escaping (_ rank: Int) throws -> Void, to file: URL
  ) throws -> Outcome {
    let base = try workflow(frozenRatio, shape, rule)
    let options = options(
      base, shape, staleness: staleness, validates: validates, checkpointEvery: checkpointEvery)
    let plan = shape.plan
    let configuration = base.stage.configuration
    let executor = PipelineExecutor(
      StageLink(endpoint, wire: wire, timeout: .seconds(120)), schedule: base.schedule,
      plans: Dictionary(uniqueKeysWithValues: base.schedule.graph.tasks.map { ($0, plan) }),
      shape: ModelShape(
        layers: configuration.layerCount, hidden: configuration.hiddenSize, heads: 1, keyValueHeads: 1,
        headDimension: 1, feedForward: 1, vocabulary: 1),
      adapter: base.adapter, samples: TinyChoices(base, share: share, wholeModel: false), options: options,
      device: base.stage.device
    ) { layers, _ in
      try TinyWorkflow(
        frozenRatio: frozenRatio, workers: 1, layers: layers, firstLayer: shape.firstAdaptedLayer
      ).stage
    }
    executor.beforeGather = { try beforeGather(endpoint.rank) }
    let trainer = WorkflowTrainer(executor, schedule: base.schedule, options: options)
    var own = Outcome()
    let resume =
      endpoint.rank == 0
      ? try checkpoint.map { try TrainingCheckpoint($0, modules: base.adapter.modules) } : nil
    _ = try trainer.run(
      from: resume, to: destination(file),
      shouldStop: { stopAfter.map { own.losses.count >= $0 } ?? false }, onEvent: { own.take($0) })
    own.bits = trainer.adapter.bits(of: Array(0..<8))
    return own
  }

  @Test(arguments: shapes)
  func recordedAnswers(_ shape: RunShape) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let one = try Self.single(0.5, shape, share: 0, staleness: 1, in: folder)
      #expect(one.losses.count == 24)
      // With gold answers there are no forward-only passes, so the ranks of D_f have no work.
      #expect(try Self.cluster(0.5, shape, share: 0, staleness: 1, in: folder) == one)
    }
  }

  @Test(arguments: shapes, [0, 0.5, 1])
  func predictedAnswers(_ shape: RunShape, _ frozenRatio: Double) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let one = try Self.single(frozenRatio, shape, share: 1, staleness: 1, in: folder)
      #expect(try Self.cluster(frozenRatio, shape, share: 1, staleness: 1, in: folder) == one)
    }
  }

  @Test(arguments: shapes, [0, 2, 3])
  func staleness(_ shape: RunShape, _ steps: Int) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let one = try Self.single(0.5, shape, share: 0.6, staleness: steps, rule: .importance, in: folder)
      let many = try Self.cluster(0.5, shape, share: 0.6, staleness: steps, rule: .importance, in: folder)
      #expect(many == one)
    }
  }

  /// Stages without an adapted layer, or whose first layer is not adapted.
  @Test(arguments: shapes, [1, 2])
  func layersThatAreNotAdapted(_ shape: RunShape, _ first: Int) throws {
    try Fixtures.withTemporaryDirectory { folder in
      var shape = shape
      shape.firstAdaptedLayer = first
      for share in [0, 0.6] {
        let one = try Self.single(0.5, shape, share: share, staleness: 1, in: folder)
        #expect(try Self.cluster(0.5, shape, share: share, staleness: 1, in: folder) == one)
      }
    }
  }

  /// Planned memory is at least what training allocates, and less than twice as much.
  @Test(arguments: [0, 1, 2], [0..<1, 0..<3, 1..<3])
  func plannedMemoryIsEnough(_ first: Int, _ layers: Range<Int>) throws {
    let tiny = try TinyWorkflow(frozenRatio: 1, layers: layers, firstLayer: first)
    let (stage, rows) = (tiny.stage, 32)
    let view = DeviceAdapter(
      tiny.adapter, columns: ColumnView(frozen: [], trainable: Array(0..<8)),
      configuration: stage.configuration, device: stage.device)
    let inFlight = 3
    let taken =
      inFlight * StageActivations(stage, rows: rows, adapter: view).byteCount
      + StageWorker(stage, rows: rows, adapter: view).byteCount
    let model = stage.configuration
    var shape = ModelShape(
      layers: model.layerCount, hidden: model.hiddenSize, heads: model.headCount,
      keyValueHeads: model.keyValueHeadCount, headDimension: model.headDimension,
      feedForward: model.intermediateSize, vocabulary: model.vocabularySize, valueBytes: 4, rank: 8)
    func planned(_ tokens: Double) -> Int {
      StageCosts.memory(
        shape,
        Workload(
          forwardOnly: [], trained: Workload.Pass(task: "t", tokens: tokens, labels: 1), samples: inFlight,
          trainedColumns: 8),
        layers: layers, microBatch: 1, trains: true, inFlight: inFlight)
    }
    shape.firstAdapted = first
    let activations = planned(Double(rows)) - planned(0)
    #expect(activations >= taken - 64 * 100, "\(activations) planned, \(taken) taken")
    #expect(activations < 2 * taken)

    // Memory that does not depend on the rows: the whole adapter, and the state of the stage's own columns.
    let adapted = stage.layers.count { $0 >= first }
    let weights =
      (layers.count + adapted * (shape.trainingCopies - 1)) * shape.layerBytes
      + (layers.lowerBound == 0 ? shape.embeddingBytes : 0)
      + (layers.upperBound == shape.layers && !(shape.tiedHead && layers.lowerBound == 0)
        ? shape.embeddingBytes : 0)
    let whole = TargetModule.all(
      model, layers: first..<model.layerCount, targets: Set(Projection.allCases)
    ).reduce(0) { $0 + 4 * 8 * ($1.inputs + $1.outputs) }
    let optimizer = ColumnOptimizer(tiny.adapter, view: view, settings: AdamWSettings(), device: stage.device)
    let held = whole + view.byteCount + optimizer.byteCount + 2 * 4 * view.layout.count
    let constant = planned(0) - weights
    #expect(constant >= held - 64 * 100, "\(constant) planned, \(held) held")
    #expect(constant < 2 * held + 64 * 100)
  }

  @Test func aDeepTreeOfReplicasIsCloseAndResumes() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let shape = Self.deepTree
      let one = try Self.single(0.5, shape, share: 0, staleness: 1, in: folder)
      let many = try Self.cluster(0.5, shape, share: 0, staleness: 1, in: folder)
      #expect(many.losses.count == one.losses.count)
      for (a, b) in zip(many.losses, one.losses) { #expect(abs(a - b) < 1e-4 * b) }
      for (a, b) in zip(many.norms, one.norms) { #expect(abs(a - b) < 1e-3 * b) }
      // Nothing has amplified the order of the sums yet.
      #expect(abs(many.losses[0] - one.losses[0]) < 1e-6 * one.losses[0])
      #expect(abs(many.norms[0] - one.norms[0]) < 1e-5 * one.norms[0])
      // The order itself is always the same.
      let again = try Self.cluster(0.5, shape, share: 0, staleness: 1, in: folder)
      #expect(again.losses == many.losses && again.norms == many.norms && again.bits == many.bits)
    }
    try resumed(Self.deepTree, share: 1)
  }

  private struct Changed: Error {}

  /// A rank whose model has changed ends the job before a checkpoint is written, whatever its part in the phase.
  @Test(arguments: shapes, [0, 1])
  func noCheckpointIsWrittenOnceARankRefuses(_ shape: RunShape, share: Double) throws {
    for refusing in 0..<shape.ranks {
      try Fixtures.withTemporaryDirectory { folder in
        let outcome = Result {
          try Self.cluster(
            0.5, shape, share: share, staleness: 1,
            beforeGather: { rank in
              guard rank == refusing else { return }
              // The other ranks are first, if rank 0 does not wait.
              Thread.sleep(forTimeInterval: 0.05)
              throw Changed()
            }, in: folder)
        }
        #expect(throws: (any Error).self) { try outcome.get() }
        let written = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(written.isEmpty)
      }
    }
  }

  /// With predicted answers, and with gold ones, for which frozen columns are merged into the weights.
  @Test(arguments: shapes, [1, 0])
  func resumed(_ shape: RunShape, share: Double) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let whole = try Self.cluster(0.5, shape, share: share, staleness: 2, in: folder)
      let before = try Self.cluster(0.5, shape, share: share, staleness: 2, stopAfter: 10, in: folder)
      #expect(before.losses.count < 20)
      let file = folder.appendingPathComponent("stopped.safetensors")
      try before.checkpoint?.write(to: file)
      let after = try Self.cluster(0.5, shape, share: share, staleness: 2, from: file, in: folder)
      #expect(before.losses + after.losses == whole.losses)
      #expect(after.checkpoint == whole.checkpoint)
      #expect(after.bits == whole.bits)
    }
  }

  /// A run can stop at the end of a phase, even if no checkpoint is due within it.
  @Test(arguments: shapes)
  func stopsAtThePhasesEnd(_ shape: RunShape) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let whole = try Self.cluster(0.5, shape, share: 0, staleness: 1, checkpointEvery: 100, in: folder)
      let before = try Self.cluster(
        0.5, shape, share: 0, staleness: 1, stopAfter: 1, checkpointEvery: 100, in: folder)
      #expect(before.losses == Array(whole.losses.prefix(6)))
      let file = folder.appendingPathComponent("stopped.safetensors")
      try before.checkpoint?.write(to: file)
      let after = try Self.cluster(
        0.5, shape, share: 0, staleness: 1, from: file, checkpointEvery: 100, in: folder)
      #expect(before.losses + after.losses == whole.losses)
      #expect(after.checkpoint == whole.checkpoint)
    }
  }

  /// With validation, phases take the same steps and end with the same best states as in one process.
  @Test(arguments: shapes, [0, 0.6])
  func validated(_ shape: RunShape, share: Double) throws {
    try Fixtures.withTemporaryDirectory { folder in
      for ratio in [0.5, 1] {
        let one = try Self.single(ratio, shape, share: share, staleness: 1, validates: true, in: folder)
        #expect(one.validations.contains { $0.change != .none }, "no phase differs from its plan")
        #expect(one.validations.contains { !$0.isBest })
        let many = try Self.cluster(ratio, shape, share: share, staleness: 1, validates: true, in: folder)
        #expect(many == one)
        let before = try Self.cluster(
          ratio, shape, share: share, staleness: 1, stopAfter: 10, validates: true, in: folder)
        let file = folder.appendingPathComponent("stopped.safetensors")
        try before.checkpoint?.write(to: file)
        let after = try Self.cluster(
          ratio, shape, share: share, staleness: 1, from: file, validates: true, in: folder)
        #expect(before.losses + after.losses == one.losses)
        #expect(before.validations + after.validations == one.validations)
        #expect(after.checkpoint == one.checkpoint)
      }
    }
  }

  /// Narrower wire formats change the results only slightly.
  @Test(arguments: [WireFormat.bfloat16, .int8])
  func wireFormats(_ wire: WireFormat) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let shape = Self.shapes[0]
      let one = try Self.single(0.5, shape, share: 0, staleness: 1, in: folder)
      let many = try Self.cluster(0.5, shape, share: 0, staleness: 1, wire: wire, in: folder)
      #expect(many.losses != one.losses)
      for (a, b) in zip(many.losses, one.losses) { #expect(abs(a - b) < 0.05 * b) }
    }
  }
}

extension Outcome {
  fileprivate mutating func take(_ event: TrainingEvent) {
    events += 1
    if case .step(let record) = event {
      losses.append(record.loss)
      norms.append(record.gradientNorm)
      tokens.append(record.tokens)
      if var report = record.validation {
        report.seconds = 0
        validations.append(report)
      }
    }
    if case .warning(let warning, _) = event { warnings.append(warning) }
  }
}
