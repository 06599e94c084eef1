import ContextLoRA
import LanguageModels
import Runs
import TaskGraph
import Tensor

/// Trains shared parameters. A sample is a batch of one task: the tasks compute with different weights.
final class SharedExecutor: PhaseExecutor {
  private let model: LlamaModel
  private let examples: WorkflowExamples
  private let parameters: any SharedParameters
  private let batches: [TaskBatch]
  private let options: TrainingOptions
  private let mixed: MixedValidation?
  private let view: DeviceAdapter
  private let vector: FlatAdamW
  /// For the gradient with respect to the parameters.
  private let memory: DeviceMemory
  private var engine: GradientAccumulator
  private var rows: Int
  private var best: [Float]?
  private let operations: any TensorOperations
  /// The shape of the adapters; its values do not matter.
  let adapter: LoRAAdapter
  private(set) var phase: Phase?

  /// - Parameters:
  ///   - batches: those of all tasks; a step has one.
  ///   - batchSize: the most samples of a batch.
  init(
    _ model: LlamaModel, _ examples: WorkflowExamples, _ parameters: any SharedParameters,
    adapter: LoRAAdapter, batches: [TaskBatch], batchSize: Int, options: TrainingOptions
  ) throws {
    (self.model, self.examples, self.parameters) = (model, examples, parameters)
    (self.adapter, self.options) = (adapter, options)
    let tasks = examples.workflow.tasks.map(\.name)
    self.batches = batches
    mixed = examples.validation.map { MixedValidation($0, tasks: tasks) }
    view = model.view(of: adapter, ColumnView(frozen: [], trainable: Array(0..<adapter.rank)))
    vector = FlatAdamW(parameters.initial, settings: options.adamW, device: model.device)
    memory = model.device.allocate(byteCount: parameters.count * 4)
    var sized = options
    sized.batchSize = batchSize
    rows = sized.microBatchRows(
      longest: try tasks.map { try examples.longestSequence($0) }.max() ?? 0, samples: examples.sampleCount)
    engine = GradientAccumulator(model, adapter: view, rows: rows)
    operations = model.device.makeOperations(threads: 1)
  }

  /// Called with each validation's scores by task.
  var onScores: ([String: ValidationScore]) -> Void {
    get { mixed?.onScores ?? { _ in } }
    set { mixed?.onScores = newValue }
  }

  /// What a task is answered with.
  func fitted(_ task: String) -> FittedMethod.View {
    var adapter = adapter
    let flat = parameters.columns(of: task, vector.values)
    ColumnValues(columns: Array(0..<adapter.rank), flat: flat).write(to: &adapter)
    return FittedMethod.View(adapter)
  }

  var leads: Bool { true }
  var sampleCount: Int { batches.count }
  var validation: (any ValidationEpisodes)? { mixed }
  var longestWindow: Int { 1 }
  var sharesColumns: Bool { false }
  func share(_ checkpoint: TrainingCheckpoint?) -> TrainingCheckpoint? { checkpoint }
  func share(_ progress: PhaseProgress) -> PhaseProgress { progress }
  func stops(atCheckpoint _: Bool, _ shouldStop: () -> Bool) -> Bool { shouldStop() }
  func distribute(_: TrainingCheckpoint?, step _: Int) {}
  func shareAdapter() {}
  /// There are no prerequisites.
  func start(_: Phase) {}

  func withPhase<Result>(
    _ phase: Phase, from _: TrainingCheckpoint?, pace _: PhasePace, _ body: (_ bytes: Int) throws -> Result
  ) throws -> Result {
    self.phase = phase
    return try body(engine.byteCount + vector.byteCount + memory.byteCount + view.byteCount)
  }

  func run(
    _ window: [StepSamples], pace: PhasePace, report: (StepOutcome) throws -> Void,
    onEvent _: (TrainingEvent) throws -> Void
  ) throws {
    for batch in window {
      for sample in batch.samples {
        try report(try step(batches[sample].task, batches[sample].episodes, number: batch.step, pace))
      }
    }
  }

  private func step(
    _ task: String, _ episodes: [Int], number: Int, _ pace: PhasePace
  ) throws -> StepOutcome {
    let start = ContinuousClock.now
    let values = vector.values
    view.write(parameters.columns(of: task, values), device: model.device)
    let sequences = try episodes.map { try examples.sequence(task, sample: $0, parentAnswers: nil) }
    let packed =
      options.microBatchSamples.map { MicroBatching.pack(sequences, samples: $0) }
      ?? MicroBatching.pack(sequences, tokens: options.microBatchTokens)
    let widest = packed.map(\.rowCount).max() ?? 0
    if widest > rows {
      rows = widest
      engine = GradientAccumulator(model, adapter: view, rows: rows)
    }
    let targets = sequences.reduce(0) { $0 + $1.targetCount }
    let loss = try engine.step(packed, scale: 1 / Float(max(targets, 1)))
    var columns = operations.values(engine.gradients.flat)
    let layout = parameters.layout
    // The workers computed the gradient of scale · B.
    for place in layout.aCount..<layout.count { columns[place] *= adapter.scale }
    let gradient = parameters.gradient(of: task, values, columns)
    let matrix = memory.matrix(rows: 1, columns: gradient.count, type: .float32)
    operations.write(gradient, scale: 1, into: matrix)
    let norm = operations.sumOfSquares(matrix).squareRoot()
    vector.update(
      matrix, [(0..<gradient.count, options.clipFactor(norm: norm))],
      learningRate: Float(options.learningRate.rate(step: number + 1, pace)))
    return StepOutcome(
      step: number, loss: loss / Double(max(targets, 1)), gradientNorm: norm,
      tokens: sequences.reduce(0) { $0 + $1.tokens.count }, targets: targets,
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  func score() throws -> ValidationScore? {
    guard let mixed, let validation = examples.validation else { return nil }
    var scores: [String: ValidationScore] = [:]
    for task in examples.workflow.tasks.map(\.name) {
      view.write(parameters.columns(of: task, vector.values), device: model.device)
      scores[task] = validation.score(
        task: task, try Scorer(model).tokenScores(validation.questions(task: task), adapter: view))
    }
    return mixed.combined(scores)
  }

  func scores(of _: [String]) -> [String: ValidationScore] { [:] }
  func keepBest() { best = vector.values }

  func gather(_ position: TrainingCheckpoint.Position) -> TrainingCheckpoint? {
    if let phase, position.phase != phase.index, let best { vector.values = best }
    return nil
  }
}
