import ContextLoRA
import Datasets
import InputErrors
import LanguageModels
import Runs
import SeededRandom
import TaskGraph
import Tensor
import Workflows

/// Trains a workflow by different methods with the same samples, steps and values.
package final class MethodTrainer {
  /// The progress of a training.
  package struct Progress: Sendable {
    /// Optimiser steps taken and planned.
    package var done, all: Int
    /// The task, or all of them.
    package var task: String
  }

  private let model: LlamaModel
  private let examples: WorkflowExamples
  private let modules: [TargetModule]
  private let options: TrainingOptions
  /// The graph along which ContextLoRA partitions, which experiments vary.
  private let graph: TaskDependencyGraph
  /// The share of test episodes of a task that are right with gold parents' answers.
  private let measure: (String, FittedMethod.View) throws -> Double
  private let shouldStop: () -> Bool
  private let onProgress: (Progress) throws -> Void

  private var workflow: Workflow { examples.workflow }
  private var tasks: [String] { workflow.tasks.map(\.name) }
  private var rank: Int { workflow.rankBlocks.rank }

  /// - Parameters:
  ///   - model: loaded for training.
  ///   - modules: the target modules.
  ///   - options: those of the workflow; a phase that is not good enough at its planned end is not extended.
  ///   - graph: the graph along which ContextLoRA partitions; `nil` for the workflow's.
  ///   - measure: the share of test episodes of a task that are right with gold parents' answers.
  ///   - shouldStop: asked after each step.
  /// - Throws: `Refusal` if the workflow trains with predicted answers, which not all methods have.
  package init(
    _ model: LlamaModel, _ examples: WorkflowExamples, modules: [TargetModule], options: TrainingOptions,
    graph: TaskDependencyGraph? = nil, measure: @escaping (String, FittedMethod.View) throws -> Double,
    shouldStop: @escaping () -> Bool = { false }, onProgress: @escaping (Progress) throws -> Void = { _ in }
  ) throws(Refusal) {
    try Self.check(examples)
    (self.model, self.examples, self.modules) = (model, examples, modules)
    (self.measure, self.shouldStop, self.onProgress) = (measure, shouldStop, onProgress)
    self.graph = graph ?? examples.workflow.graph
    var options = options
    // Every method has the same steps.
    options.validation?.budget = TrainingOptions.Budget(steps: 1)
    // The method, not the workflow, says what is frozen.
    options.adaptiveFreezing = nil
    self.options = options
  }

  /// Checks whether all methods can train on a workflow.
  ///
  /// - Throws: `Refusal` if the workflow trains with predicted answers, which not all methods have.
  package static func check(_ examples: WorkflowExamples) throws(Refusal) {
    guard !examples.usesPredictions else {
      throw Refusal(
        examples.workflow.file, "training.parentAnswers: methods are compared with gold parents' answers",
        "set training.parentAnswers to gold")
    }
  }

  /// Trains by a method.
  ///
  /// - Returns: `nil` if it was asked to stop.
  /// - Throws: `TrainingError`; `TaskGraphError` if the rank cannot be split; the errors of the model's file and of
  ///   `onProgress`.
  package func train(_ method: Method) throws -> FittedMethod? {
    fitted = FittedMethod()
    planned = tasks.reduce(0) { $0 + steps($1) }
    do {
      switch method {
      case .zeroShot, .fewShot: break
      case .joint: try trainJoint()
      case .sequential(let order): try trainSequential(order)
      case .independent(let rank): try trainIndependent(rank)
      case .mole: try trainMoLE()
      case .orthogonal: try trainOrthogonal()
      case .mtlLoRA: try trainMTL()
      case .contextLoRA(let partition): try trainContext(partition)
      }
    } catch is Stopped { return nil }
    return fitted
  }

  private struct Stopped: Error {}
  private var fitted = FittedMethod()
  /// The tasks' scores in the last validation of all at once.
  private var scores: [String: ValidationScore] = [:]
  /// Optimiser steps planned.
  private var planned = 0

  // MARK: Methods

  private func trainJoint() throws {
    let samples = MixedSamples(examples, batches: batches(plannedSteps()))
    samples.onScores = { [self] in scores = $0 }
    let adapter = fresh(rank)
    let result = try run(
      try single(MixedSamples.task, rank: rank), adapter, samples, mixedOptions(plannedSteps()))
    fitted.views = views { _ in FittedMethod.View(result) }
    fitted.parameters = values(rank)
  }

  private func trainSequential(_ order: Method.TaskOrder) throws {
    var generator = SeededGenerator(seed: options.seed, stream: 77)
    let order =
      switch order {
      case .topological: workflow.graph.topologicalOrder
      case .random: tasks.shuffled(by: &generator)
      }
    var adapter = fresh(rank)
    for task in order {
      adapter = try run(try single(task, rank: rank), adapter, examples, options(for: task))
      try note(task, FittedMethod.View(adapter))
    }
    fitted.views = views { _ in FittedMethod.View(adapter) }
    fitted.parameters = values(rank)
  }

  private func trainIndependent(_ choice: Method.IndependentRank) throws {
    for task in workflow.graph.topologicalOrder {
      let rank = choice == .full ? rank : workflow.rankBlocks[task].count
      let adapter = try run(try single(task, rank: rank), fresh(rank), examples, options(for: task))
      fitted.views[task] = FittedMethod.View(adapter)
      fitted.parameters += values(rank)
      try note(task, FittedMethod.View(adapter))
    }
  }

  private func trainContext(_ partition: Method.Partition) throws {
    var options = options
    options.blockStart = partition.start
    if partition.frozenRatio == nil {
      options.adaptiveFreezing = AdaptiveFreezing(tolerance: Self.tolerance)
    }
    // Rounded down: several rounds may have a few steps less than one.
    for task in tasks { options.plannedStepsByTask[task] = max(1, steps(task) / partition.rounds) }
    let schedule = try PhaseSchedule(
      graph: graph, blocks: workflow.rankBlocks, frozenRatio: partition.frozenRatio ?? Self.initialRatio,
      prerequisiteRule: partition.prerequisites, rounds: partition.rounds)
    let adapter = try run(schedule, partitioned(), examples, options) { [self] phase, adapter in
      guard phase.round == partition.rounds else { return }
      try note(
        phase.task, FittedMethod.View(adapter, columns: schedule.viewColumns(of: phase.task)))
    }
    fitted.views = views { FittedMethod.View(adapter, columns: schedule.viewColumns(of: $0)) }
    fitted.parameters = values(rank)
  }

  /// The start and the tolerance of adaptive freezing, the defaults of workflows.
  private static let (initialRatio, tolerance) = (0.5, 0.05)

  private func trainOrthogonal() throws {
    let order = workflow.graph.topologicalOrder
    var options = options
    options.orthogonality = Self.orthogonality
    options.blockStart = .fresh
    // A chain in which every task uses all earlier columns, which are frozen.
    let chain = try TaskDependencyGraph(
      tasks.map { task in
        (name: task, parents: order.prefix { $0 != task }.map(\.self))
      })
    let schedule = try PhaseSchedule(graph: chain, blocks: workflow.rankBlocks, frozenRatio: 1)
    let adapter = try run(schedule, partitioned(), examples, options) { [self] phase, adapter in
      try note(phase.task, FittedMethod.View(adapter, columns: schedule.viewColumns(of: phase.task)))
    }
    fitted.views = views { _ in FittedMethod.View(adapter) }
    fitted.parameters = values(rank)
  }

  /// λ of O-LoRA, as in its paper.
  private static let orthogonality: Float = 0.5

  private func trainMoLE() throws {
    var experts = partitioned()
    let gateSteps = tasks.map { ($0, max(1, Int(Double(steps($0)) * Self.gateShare))) }
    let gates = Dictionary(uniqueKeysWithValues: gateSteps)
    // An expert is trained alone, then its columns are copied side by side.
    for task in tasks {
      let block = Array(workflow.rankBlocks[task])
      var options = options(for: task)
      options.plannedStepsByTask[task] = max(1, steps(task) - (gates[task] ?? 0))
      let expert = try run(
        try single(task, rank: block.count), fresh(block.count, seed: options.seed), examples, options)
      let columns = ColumnValues(of: Array(block.indices), in: expert)
      ColumnValues(columns: block, flat: columns.flat).write(to: &experts)
      // Where ranks differ, so do scales.
      experts.multiplyB(of: block, by: expert.scale / experts.scale)
    }
    // Their validations say nothing about the gated model.
    fitted.course = []
    var options = mixedOptions(gates)
    options.learningRate.peak = Self.gateRate
    options.adamW.weightDecay = 0
    // There are few steps: validated four times.
    options.validation?.every = max(1, (options.plannedSteps ?? 4) / 4)
    try trainShared(MoLEGates(experts, blocks: workflow.rankBlocks), experts, gates, options)
    fitted.parameters += values(rank)
  }

  /// The share of MoLE's steps that train the gates, and their learning rate.
  private static let (gateShare, gateRate) = (0.2, 5e-2)

  private func trainMTL() throws {
    var rank = rank
    while rank > 1,
      MTLParameters.count(modules: modules, rank: rank, tasks: tasks.count) > values(self.rank)
    { rank -= 1 }
    let adapter = fresh(rank)
    try trainShared(
      MTLParameters(adapter, tasks: tasks, seed: options.seed, device: model.device), adapter, plannedSteps(),
      mixedOptions(plannedSteps()))
  }

  private func trainShared(
    _ parameters: any SharedParameters, _ adapter: LoRAAdapter, _ steps: [String: Int],
    _ options: TrainingOptions
  ) throws {
    var options = options
    let batchSize = options.batchSize
    options.batchSize = 1
    let executor = try SharedExecutor(
      model, examples, parameters, adapter: adapter, batches: batches(steps), batchSize: batchSize,
      options: options)
    executor.onScores = { [self] in scores = $0 }
    let schedule = try single(MixedSamples.task, rank: adapter.rank)
    try run(WorkflowTrainer(executor, schedule: schedule, options: options))
    for task in tasks { fitted.views[task] = executor.fitted(task) }
    fitted.parameters += parameters.count
  }

  // MARK: Parts

  private func steps(_ task: String) -> Int { options.stepCount(task: task, samples: examples.sampleCount) }

  private func plannedSteps() -> [String: Int] {
    Dictionary(uniqueKeysWithValues: tasks.map { ($0, steps($0)) })
  }

  /// The episodes of each task's steps, as its phase along the graph takes them.
  private func batches(_ steps: [String: Int]) -> [TaskBatch] {
    tasks.flatMap { task -> [TaskBatch] in
      let seed = options(for: task).seed
      var cursor = DataCursor()
      return (0..<(steps[task] ?? 0)).map { _ in
        TaskBatch(task: task, episodes: cursor.take(options.batchSize, of: examples.sampleCount, seed: seed))
      }
    }
  }

  /// A fresh adapter whose columns all train together.
  private func fresh(_ rank: Int, seed: UInt64? = nil) -> LoRAAdapter {
    LoRAAdapter(
      modules: modules, rank: rank, scale: Float(workflow.lora.scale(columns: Double(rank))),
      seed: seed ?? options.seed)
  }

  /// A fresh adapter of the workflow's rank and scale, whose columns train block by block.
  private func partitioned() -> LoRAAdapter {
    LoRAAdapter(modules: modules, rank: rank, scale: Float(workflow.lora.scale), seed: options.seed)
  }

  /// The values of an adapter of some rank.
  private func values(_ rank: Int) -> Int { rank * modules.reduce(0) { $0 + $1.inputs + $1.outputs } }

  private func views(_ view: (String) -> FittedMethod.View) -> [String: FittedMethod.View] {
    Dictionary(uniqueKeysWithValues: tasks.map { ($0, view($0)) })
  }

  private func single(_ task: String, rank: Int) throws -> PhaseSchedule {
    let graph = try TaskDependencyGraph([(name: task, parents: [])])
    return try PhaseSchedule(graph: graph, blocks: RankBlocks(tasks: [task], rank: rank), frozenRatio: 1)
  }

  /// The options of a task that trains alone, with the samples in the order of its phase along the graph.
  private func options(for task: String) -> TrainingOptions {
    var options = options
    options.seed = options.seed(phase: workflow.phaseSchedule.phase(of: task).index)
    return options
  }

  /// The options of a training of all tasks at once.
  private func mixedOptions(_ steps: [String: Int]) -> TrainingOptions {
    var options = options
    options.plannedSteps = steps.values.reduce(0, +)
    options.maximumSteps = nil
    // One validation has the questions of all tasks.
    options.validation?.every *= tasks.count
    return options
  }

  private func run(
    _ schedule: PhaseSchedule, _ adapter: LoRAAdapter, _ samples: any WorkflowSamples,
    _ options: TrainingOptions, onPhase: @escaping (Phase, LoRAAdapter) throws -> Void = { _, _ in }
  ) throws -> LoRAAdapter {
    let trainer = WorkflowTrainer(
      model, schedule: schedule, adapter: adapter, samples: samples, answerer: nil, options: options)
    try run(trainer, onPhase: onPhase)
    return trainer.adapter
  }

  private func run(
    _ trainer: WorkflowTrainer, onPhase: (Phase, LoRAAdapter) throws -> Void = { _, _ in }
  ) throws {
    var paused = Duration.zero
    let start = ContinuousClock.now
    let isDone = try trainer.run(to: nil, shouldStop: shouldStop) { event in
      switch event {
      case .step(let record):
        fitted.steps += 1
        fitted.tokens += record.tokens
        try onProgress(Progress(done: fitted.steps, all: planned, task: record.task))
        if let score = record.validation?.score {
          self.record(record.task == MixedSamples.task ? scores : [record.task: score])
        }
      case .phaseFinished(let phase):
        let pause = ContinuousClock.now
        try onPhase(phase, trainer.adapter)
        paused += ContinuousClock.now - pause
      default: break
      }
    }
    guard isDone else { throw Stopped() }
    fitted.seconds += (ContinuousClock.now - start - paused) / .seconds(1)
  }

  private func record(_ scores: [String: ValidationScore]) {
    for task in tasks {
      guard let score = scores[task], score.loss.isFinite else { continue }
      fitted.course.append(
        FittedMethod.Point(
          task: task, tokens: fitted.tokens, accuracy: score.accuracy, loss: score.loss))
    }
  }

  /// Measures a task that has just been trained.
  private func note(_ task: String, _ view: FittedMethod.View) throws {
    fitted.rightAfter[task] = try measure(task, view)
  }
}

extension LoRAAdapter {
  /// Multiplies some columns of every B.
  fileprivate mutating func multiplyB(of columns: [Int], by factor: Float) {
    guard factor != 1 else { return }
    for (index, module) in modules.enumerated() {
      for output in 0..<module.outputs {
        for column in columns { pairs[index].b[output * rank + column] *= factor }
      }
    }
  }
}
