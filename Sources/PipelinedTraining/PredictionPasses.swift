import ContextGear
import ContextLoRA
import LanguageModels
import Tensor
import Transport

/// The forward-only passes of one stage. Each pass answers one ancestor's questions; later passes read the
/// answers.
final class PredictionPasses {
  private let stage: LlamaStage
  private let work: PhaseWork
  private let samples: any ChoiceSamples
  /// The adapter for this stage's layers; trained columns as of the start of the phase.
  private let adapter: LoRAAdapter
  private let message: ActivationMessage
  /// The options chosen so far.
  var answers: AnswerTable
  /// The columns that other ranks refine meanwhile.
  var refined: RefinedColumns

  private var current: Questions?
  /// By pass, allocated when a micro-batch first needs them.
  private var buffers: [Int: Buffers] = [:]
  private var views: (source: Int, views: [DeviceAdapter])?

  /// A micro-batch between its receipt and its sending.
  private struct Questions {
    let batch: PackedBatch
    /// The samples to be asked, as indices within the micro-batch, with their questions.
    let asked: [(position: Int, request: ScoreRequest)]
  }

  private struct Buffers {
    let worker: StageWorker
    let activations: StageActivations
  }

  init(
    _ stage: LlamaStage, work: PhaseWork, samples: any ChoiceSamples, adapter: LoRAAdapter,
    message: ActivationMessage
  ) {
    (self.stage, self.work, self.samples) = (stage, work, samples)
    (self.adapter, self.message) = (adapter, message)
    answers = AnswerTable(passes: work.passes.count)
    refined = RefinedColumns(
      modules: adapter.modules, columns: work.refined, staleness: work.options.staleness)
  }

  /// Bytes of activations and scratch now.
  var byteCount: Int {
    buffers.values.reduce(0) { $0 + $1.worker.byteCount + $1.activations.byteCount }
  }

  /// The answers chosen by the passes before a micro-batch's own, by task, for the sample at `position` in
  /// the step's batch; `nil` if it uses gold answers.
  func chosen(_ micro: MicroBatch, position: Int) -> [String: String]? {
    let sample = micro.batch.samples[position]
    guard samples.predicts(sample, phase: work.phase.index, epoch: micro.batch.epoch) else { return nil }
    var result: [String: String] = [:]
    for (pass, (task, _)) in work.passes.prefix(micro.pass).enumerated() {
      result[task] = answers.option(step: micro.step, pass: pass, sample: position).map {
        samples.text(task, sample: sample, option: $0)
      }
    }
    return result
  }

  // MARK: One micro-batch: receive, forward, send

  /// Stores the previous stage's output.
  ///
  /// - Parameter check: throws if the message does not have this number of rows.
  func receive(_ buffer: MessageBuffer, _ micro: MicroBatch, check: (_ rows: Int) throws -> Void) throws {
    let questions = try makeQuestions(micro)
    try check(questions.batch.rowCount)
    current = questions
    guard questions.batch.rowCount > 0 else { return }
    let own = makeBuffers(micro.pass, rows: questions.batch.rowCount)
    message.decode(
      buffer, options: micro.pass * micro.positions.count, batch: questions.batch,
      into: own.activations.hidden,
      own.worker.operations)
  }

  /// Runs the stage's layers; on the last stage, chooses the answers.
  func forward(_ micro: MicroBatch) throws {
    let questions = try current ?? makeQuestions(micro)
    current = stage.isLast ? nil : questions
    let batch = questions.batch
    var chosen: [Int16]?
    if batch.rowCount > 0 {
      let own = makeBuffers(micro.pass, rows: batch.rowCount)
      let h = own.activations.hidden.rows(0..<batch.paddedRowCount)
      if stage.isFirst { try stage.embed(batch.tokens, into: h, own.worker.operations) }
      stage.forward(
        batch, own.activations, outputRows: batch.targetRows, adapter: views(for: micro.step)[micro.pass],
        own.worker)
      if stage.isLast { chosen = choices(micro, questions, h, own.worker) }
    }
    guard stage.isLast else { return }
    answers.set(
      step: micro.step, pass: micro.pass,
      chosen ?? Array(repeating: AnswerTable.recorded, count: micro.positions.count), at: micro.positions,
      of: micro.batch.samples.count)
  }

  /// The stage's output for the next stage.
  func send(_ micro: MicroBatch) -> MessageBuffer {
    guard let questions = current else {
      preconditionFailure("micro-batch \(micro.index) before its forward pass")
    }
    current = nil
    let own = makeBuffers(micro.pass, rows: max(questions.batch.rowCount, 1))
    return message.encode(
      own.activations.hidden, rows: questions.batch.rowCount,
      options: answers.options(step: micro.step, known: micro.pass, of: micro.positions),
      own.worker.operations)
  }

  private func makeQuestions(_ micro: MicroBatch) throws -> Questions {
    let task = work.passes[micro.pass].task
    let asked = try micro.positions.compactMap { position -> (position: Int, request: ScoreRequest)? in
      guard let known = chosen(micro, position: position) else { return nil }
      let request = try samples.question(
        task, sample: micro.batch.samples[position], parentAnswers: known)
      return (position - micro.positions.lowerBound, request)
    }
    return Questions(batch: PackedBatch(asked.map(\.request)), asked: asked)
  }

  /// The chosen option of each sample of a micro-batch.
  private func choices(
    _ micro: MicroBatch, _ questions: Questions, _ h: Matrix, _ worker: StageWorker
  ) -> [Int16] {
    let flat = stage.logProbabilities(questions.batch.targets, hidden: h, worker)
    var options = Array(repeating: AnswerTable.recorded, count: micro.positions.count)
    let scores = ScoreRequest.split(flat, questions.asked.map(\.request))
    for ((position, _), scores) in zip(questions.asked, scores) {
      let sample = micro.batch.samples[micro.positions.lowerBound + position]
      options[position] = Int16(
        samples.choice(work.passes[micro.pass].task, sample: sample, scores: scores))
    }
    return options
  }

  // MARK: Buffers and columns

  private func makeBuffers(_ pass: Int, rows: Int) -> Buffers {
    if let known = buffers[pass], known.activations.rows >= rows { return known }
    // Memory depends on the number of columns, not on their values.
    let view = (views?.views ?? makeViews(adapter))[pass]
    let made = Buffers(
      worker: StageWorker(
        stage, rows: rows, adapter: view, backward: false, threads: stage.device.workerCount),
      activations: StageActivations(stage, rows: rows, adapter: view, keepsActivations: false))
    buffers[pass] = made
    return made
  }

  private func makeViews(_ adapter: LoRAAdapter) -> [DeviceAdapter] {
    work.passes.map {
      DeviceAdapter(
        adapter, columns: .inference($0.columns), configuration: stage.configuration, device: stage.device)
    }
  }

  /// The columns that each pass of a step computes with.
  private func views(for step: Int) -> [DeviceAdapter] {
    let source = work.refined.isEmpty ? 0 : refined.source(of: step)
    if let views, views.source == source { return views.views }
    var seen = adapter
    refined.scatter(for: step, into: &seen)
    let made = makeViews(seen)
    views = (source, made)
    return made
  }
}
