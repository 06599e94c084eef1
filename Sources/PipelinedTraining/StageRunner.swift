import ContextGear
import ContextLoRA
import LanguageModels
import TaskGraph
import Tensor
import Transport

/// One phase as every rank of it sees it.
struct PhaseWork {
  /// The phase with its columns chosen.
  let phase: Phase
  /// Who does what.
  let pipeline: Plan.Pipeline
  /// The forward-only passes with the columns each computes with.
  let passes: [(task: String, columns: [Int])]
  let options: TrainingOptions
  /// Optimiser steps of the phase.
  let steps: Int

  /// The refined columns of the passes' tasks.
  var refined: [Int] { passes.isEmpty ? [] : phase.prerequisites.flatMap(\.trainable).sorted() }
}

/// Does one rank's operations of a phase's schedule: the same for ranks that train and for those that only
/// answer.
final class StageRunner {
  let work: PhaseWork
  let stage: LlamaStage
  let samples: any WorkflowSamples
  /// The stage's layers of the adapter; trained columns as of the phase's start.
  let adapter: LoRAAdapter
  /// `nil` at a stage of `D_f`.
  let trainer: StageTrainer?
  var refined: RefinedColumns
  /// All trained columns before the last steps, for checkpoints.
  var history: [[Float]] = []
  /// What was sent and how long was computed since the window began.
  private(set) var figures = StageFigures()

  private let link: StageLink
  private let message: ActivationMessage
  private let place: Int
  private let longest: [Int]
  private var answers: AnswerTable
  private var window: [StepSamples] = []
  private var passing: Passing?
  private var flying: [Int: Flight] = [:]
  private var free: [StageActivations] = []
  private var trainWorker: StageWorker?
  private var passMemory: [Int: (worker: StageWorker, activations: StageActivations)] = [:]
  private var passViews: (source: Int, views: [AdapterView])?
  private var shares: [Int: [Double]] = [:]
  private var total: (loss: Double, norm: Double)?
  private var tokens = 0

  /// A forward-only micro-batch between its receipt and its sending.
  private struct Passing {
    let batch: PackedBatch
    /// Places within the micro-batch of the samples that are asked, and their questions.
    let asked: [(place: Int, request: ScoreRequest)]
  }

  /// A trained micro-batch between its forward and its backward pass.
  private struct Flight {
    let batch: PackedBatch
    let activations: StageActivations
  }

  init(
    _ link: StageLink, work: PhaseWork, stage: LlamaStage, adapter: LoRAAdapter, trains: Bool, place: Int,
    samples: any WorkflowSamples
  ) throws {
    (self.link, self.work, self.stage, self.adapter) = (link, work, stage, adapter)
    (self.samples, self.place) = (samples, place)
    message = ActivationMessage(wire: link.wire, hidden: stage.configuration.hiddenSize)
    trainer =
      trains
      ? StageTrainer(stage, adapter: adapter, columns: work.phase.columnView, options: work.options) : nil
    refined = RefinedColumns(sites: adapter.sites, columns: work.refined, staleness: work.options.staleness)
    answers = AnswerTable(passes: work.passes.count)
    longest =
      try work.passes.map { try samples.longestQuestion($0.task) }
      + [try samples.longestSequence(work.phase.task)]
  }

  /// Bytes of activations, scratch, gradients, moments and adapter now.
  var byteCount: Int {
    (trainer?.byteCount ?? 0) + (trainWorker?.byteCount ?? 0)
      + (free + flying.values.map(\.activations)).reduce(0) { $0 + $1.byteCount }
      + passMemory.values.reduce(0) { $0 + $1.worker.byteCount + $1.activations.byteCount }
  }

  /// Does the operations of a window of steps.
  ///
  /// - Parameter onStep: is told of each update at a stage that trains.
  /// - Throws: the transport's errors, and what the data or the model's file throw.
  func run(
    _ operations: ArraySlice<Operation>, window: [StepSamples], onStep: (StepFigures) throws -> Void
  ) throws {
    self.window = window
    figures = StageFigures()
    var inbox = Inbox(link, operations) { self.capacity($0) }
    var sends: [Transfer] = []
    recordColumns(before: window[0].step)
    var start = ContinuousClock.now
    for operation in operations {
      switch operation.kind {
      case .receive: try take(try inbox.next(operation), operation)
      case .send:
        let buffer = try outgoing(operation)
        figures.bytes[Int(operation.peer), default: 0] += buffer.count
        sends.append(
          link.transport.send(buffer, to: Int(operation.peer), tag: StageLink.tag(operation.message)))
        if sends.count >= 64 { try settle(&sends, keeping: 32) }
      case .forward, .backward, .update:
        let began = ContinuousClock.now
        try compute(operation)
        figures.computing += (ContinuousClock.now - began).inSeconds
      }
      if operation.kind == .update, let total {
        let now = ContinuousClock.now
        try onStep(
          StepFigures(
            step: absolute(operation.step), loss: total.loss, norm: total.norm, tokens: tokens,
            targets: try countTargets(operation.step), seconds: (now - start).inSeconds))
        (start, self.total, tokens) = (now, nil, 0)
      }
    }
    try settle(&sends, keeping: 0)
  }

  private func settle(_ sends: inout [Transfer], keeping count: Int) throws {
    for send in sends.dropLast(count) { try send.wait(seconds: link.deadline) }
    sends = sends.suffix(count)
  }

  private var passCount: Int { work.passes.count }
  private func absolute(_ step: Int32) -> Int { window[Int(step)].step }

  /// The samples of a micro-batch, as places in the step's batch. The last micro-batches of an epoch's last
  /// step may have fewer, or none.
  private func range(_ operation: Operation) -> Range<Int> {
    let count = window[Int(operation.step)].samples.count
    let first = Int(operation.microBatch) * work.pipeline.microBatch
    return min(first, count)..<min(first + work.pipeline.microBatch, count)
  }

  // MARK: Batches

  private var targetCounts: [Int: Int] = [:]

  private func countTargets(_ step: Int32) throws -> Int {
    try window[Int(step)].samples.reduce(0) { sum, sample in
      let count =
        try targetCounts[sample]
        ?? samples.sequence(work.phase.task, sample: sample, answers: nil).targetCount
      targetCounts[sample] = count
      return sum + count
    }
  }

  private func isTrained(_ operation: Operation) -> Bool { Int(operation.pass) == passCount }

  /// What the passes before `pass` chose for a sample; `nil` where it reads recorded answers.
  private func chosen(_ operation: Operation, place: Int) -> [String: Int]? {
    let step = window[Int(operation.step)]
    guard
      samples.predicts(step.samples[place], phase: work.phase.index, epoch: step.epoch)
    else { return nil }
    var result: [String: Int] = [:]
    for pass in 0..<Int(operation.pass) {
      result[work.passes[pass].task] = answers.option(step: step.step, pass: pass, sample: place)
    }
    return result
  }

  private func question(_ operation: Operation) throws -> Passing {
    var batch = PackedBatch(tokens: [], segments: [], targets: [])
    var asked: [(place: Int, request: ScoreRequest)] = []
    let step = window[Int(operation.step)]
    let range = range(operation)
    for place in range {
      guard let known = chosen(operation, place: place) else { continue }
      let request = try samples.question(
        work.passes[Int(operation.pass)].task, sample: step.samples[place], answers: known)
      batch.append(request)
      asked.append((place - range.lowerBound, request))
    }
    return Passing(batch: batch, asked: asked)
  }

  private func trainedBatch(_ operation: Operation) throws -> PackedBatch {
    let step = window[Int(operation.step)]
    return PackedBatch(
      try range(operation).map { place in
        try samples.sequence(
          work.phase.task, sample: step.samples[place],
          answers: passCount == 0 ? nil : chosen(operation, place: place))
      })
  }

  // MARK: Memory

  private func takeFlight(_ operation: Operation) throws -> Flight {
    let micro = Int(operation.microBatch)
    if let known = flying[micro] { return known }
    let batch = try trainedBatch(operation)
    let rows = max(batch.rowCount, 1)
    let fitting = free.firstIndex { $0.rows >= rows }
    let activations =
      fitting.map { free.remove(at: $0) }
      ?? StageActivations(
        stage, rows: max(rows, work.pipeline.microBatch * longest[passCount] * 3 / 4),
        adapter: trainer?.view)
    let flight = Flight(batch: batch, activations: activations)
    flying[micro] = flight
    return flight
  }

  private func worker(rows: Int) -> StageWorker {
    if let trainWorker, trainWorker.rows >= rows { return trainWorker }
    let made = StageWorker(stage, rows: rows, adapter: trainer?.view, threads: stage.device.workerCount)
    trainWorker = made
    return made
  }

  private func memory(pass: Int, rows: Int) -> (worker: StageWorker, activations: StageActivations) {
    if let known = passMemory[pass], known.activations.rows >= rows { return known }
    // How many columns there are decides the memory, not which values they have.
    let view = (passViews?.views ?? makeViews(adapter))[pass]
    let made = (
      StageWorker(
        stage, rows: rows, adapter: view, backward: false, threads: stage.device.workerCount),
      StageActivations(stage, rows: rows, adapter: view, keepsActivations: false)
    )
    passMemory[pass] = made
    return made
  }

  private func makeViews(_ adapter: LoRAAdapter) -> [AdapterView] {
    work.passes.map {
      AdapterView(
        adapter, columns: .inference($0.columns), configuration: stage.configuration, device: stage.device)
    }
  }

  /// The views that a step predicts with.
  private func views(for step: Int) -> [AdapterView] {
    let source = work.refined.isEmpty ? 0 : refined.source(of: step)
    if let passViews, passViews.source == source { return passViews.views }
    var seen = adapter
    refined.scatter(for: step, into: &seen)
    let made = makeViews(seen)
    passViews = (source, made)
    return made
  }

  private func recordColumns(before step: Int) {
    guard let trainer, !work.refined.isEmpty else { return }
    refined.record(
      trainer.layout.narrowed(trainer.parameters, from: trainer.view.columns.trainable, to: work.refined),
      before: step)
  }

  // MARK: Computing

  private func compute(_ operation: Operation) throws {
    switch operation.kind {
    case .forward where isTrained(operation): try forwardTrained(operation)
    case .forward: try forwardOnly(operation)
    case .backward: backward(operation)
    default: update(operation)
    }
  }

  private func forwardOnly(_ operation: Operation) throws {
    let pass = Int(operation.pass)
    let passing = try passing ?? question(operation)
    self.passing = passing
    let step = absolute(operation.step)
    let range = range(operation)
    let batch = passing.batch
    if batch.rowCount > 0 {
      let memory = memory(pass: pass, rows: batch.rowCount)
      let h = memory.activations.hidden.rows(0..<batch.paddedRowCount)
      if stage.isFirst { try stage.embed(batch.tokens, into: h, memory.worker.operations) }
      stage.forward(batch, memory.activations, adapter: views(for: step)[pass], memory.worker)
      if stage.isLast { choose(operation, passing, memory.worker, h) }
    } else if stage.isLast {
      answers.set(
        step: step, pass: pass, Array(repeating: AnswerTable.recorded, count: range.count), at: range,
        of: window[Int(operation.step)].samples.count)
    }
    if stage.isLast { self.passing = nil }
  }

  private func choose(_ operation: Operation, _ passing: Passing, _ worker: StageWorker, _ h: Matrix) {
    let step = window[Int(operation.step)]
    let range = range(operation)
    let flat = stage.logProbabilities(passing.batch.targets, hidden: h, worker)
    var options = Array(repeating: AnswerTable.recorded, count: range.count)
    var next = 0
    for (place, request) in passing.asked {
      let scores = request.continuations.map { continuation in
        defer { next += continuation.count }
        return Array(flat[next..<next + continuation.count])
      }
      options[place] = Int16(
        samples.choice(
          work.passes[Int(operation.pass)].task, sample: step.samples[range.lowerBound + place],
          scores: scores))
    }
    answers.set(step: step.step, pass: Int(operation.pass), options, at: range, of: step.samples.count)
  }

  private func forwardTrained(_ operation: Operation) throws {
    guard let trainer else { preconditionFailure("a stage that only answers cannot train") }
    let flight = try takeFlight(operation)
    let batch = flight.batch
    tokens += batch.rowCount
    guard batch.rowCount > 0 else { return }
    let worker = worker(rows: flight.activations.rows)
    if stage.isFirst {
      try stage.embed(
        batch.tokens, into: flight.activations.hidden.rows(0..<batch.paddedRowCount), worker.operations)
    }
    stage.forward(batch, flight.activations, adapter: trainer.view, worker)
    if stage.isLast {
      let scale = 1 / Float(max(try countTargets(operation.step), 1))
      trainer.loss += stage.loss(batch, flight.activations, scale: scale, worker)
    }
  }

  private func backward(_ operation: Operation) {
    guard let trainer else { preconditionFailure("a stage that only answers cannot train") }
    let flight = held(operation)
    guard flight.batch.rowCount > 0 else { return release(operation) }
    stage.backward(
      flight.batch, flight.activations, adapter: trainer.view, gradients: trainer.microBatchGradients,
      worker(rows: flight.activations.rows))
    trainer.addMicroBatch()
    if stage.isFirst { release(operation) }
  }

  private func held(_ operation: Operation) -> Flight {
    guard let flight = flying[Int(operation.microBatch)] else {
      preconditionFailure("\(operation) comes before its forward pass")
    }
    return flight
  }

  private func release(_ operation: Operation) {
    if let flight = flying.removeValue(forKey: Int(operation.microBatch)) { free.append(flight.activations) }
  }

  private func update(_ operation: Operation) {
    guard let trainer else { preconditionFailure("a stage that only answers cannot train") }
    let step = absolute(operation.step)
    let total = total ?? join()
    self.total = total
    if samples.usesPredictions {
      history = Array((history + [trainer.parameters]).suffix(work.options.staleness))
    }
    trainer.update(
      norm: total.norm, learningRate: work.options.learningRate.rate(step: step + 1, total: work.steps))
    recordColumns(before: step + 1)
    answers.remove(step: step)
  }

  /// The loss and the norm of all stages, added in the order of the layers.
  private func join() -> (loss: Double, norm: Double) {
    let all = [trainer?.share ?? []] + shares.sorted { $0.key < $1.key }.map(\.value)
    shares = [:]
    return (
      all.reduce(0) { $0 + $1[0] }, all.flatMap { $0.dropFirst() }.reduce(0, +).squareRoot()
    )
  }

  // MARK: Messages

  private func capacity(_ operation: Operation) -> Int {
    let k = work.pipeline.microBatch
    let pass = Int(operation.pass)
    switch operation.payload {
    case .activation: return message.byteCount(rows: k * longest[pass], options: pass * k)
    case .gradient: return message.byteCount(rows: k * longest[passCount], options: 0)
    case .answers: return 2 * (pass + 1) * k
    case .columns:
      return 4 * TrainableLayout(sites: sharedSites(operation), columns: refined.columns.count).count
    case .norm: return place == 0 ? 8 * (1 + sites(ofTrained: operation.peer).count) : 16
    case .sums, .none: return 0
    }
  }

  private func take(_ buffer: MessageBuffer, _ operation: Operation) throws {
    let step = window[Int(operation.step)]
    let range = range(operation)
    let pass = Int(operation.pass)
    let operations = (trainWorker ?? passMemory.first?.value.worker)?.operations
    switch operation.payload {
    case .activation:
      let count = pass * range.count
      answers.read(
        message.options(buffer, count: count), step: step.step, known: pass, of: range,
        in: step.samples.count)
      if isTrained(operation) {
        let flight = try takeFlight(operation)
        let worker = worker(rows: flight.activations.rows)
        message.decode(
          buffer, options: count, batch: flight.batch, into: flight.activations.hidden, worker.operations)
      } else {
        let passing = try question(operation)
        self.passing = passing
        guard passing.batch.rowCount > 0 else { return }
        let memory = memory(pass: pass, rows: passing.batch.rowCount)
        message.decode(
          buffer, options: count, batch: passing.batch, into: memory.activations.hidden,
          memory.worker.operations)
      }
    case .gradient:
      guard let operations else { preconditionFailure("\(operation) before any forward pass") }
      let flight = held(operation)
      message.decode(
        buffer, options: 0, batch: flight.batch, into: flight.activations.hiddenGradient, operations)
    case .answers:
      answers.read(
        Plain.values(buffer.bytes.prefix(2 * (pass + 1) * range.count), as: Int16.self), step: step.step,
        known: pass + 1, of: range, in: step.samples.count)
    case .columns:
      let sites = sharedSites(operation)
      refined.record(
        Plain.values(buffer.bytes, as: Float.self), sites: sites,
        before: step.step - work.options.staleness)
      if step.step > 1 { answers.remove(step: step.step - 2) }
    case .norm:
      let values = Plain.values(buffer.bytes, as: Double.self)
      if place == 0 { shares[stageIndex(operation.peer)] = values } else { total = (values[0], values[1]) }
    case .sums, .none: preconditionFailure("\(operation): this executor runs one pipeline")
    }
  }

  private func outgoing(_ operation: Operation) throws -> MessageBuffer {
    let step = window[Int(operation.step)]
    let range = range(operation)
    let pass = Int(operation.pass)
    switch operation.payload {
    case .activation where isTrained(operation):
      let flight = held(operation)
      return message.encode(
        flight.activations.hidden, rows: flight.batch.rowCount,
        options: answers.options(step: step.step, known: pass, of: range),
        worker(rows: flight.activations.rows).operations)
    case .activation:
      guard let passing else { preconditionFailure("\(operation) before its forward pass") }
      self.passing = nil
      let memory = memory(pass: pass, rows: max(passing.batch.rowCount, 1))
      return message.encode(
        memory.activations.hidden, rows: passing.batch.rowCount,
        options: answers.options(step: step.step, known: pass, of: range), memory.worker.operations)
    case .gradient:
      let flight = flying[Int(operation.microBatch)]
      guard let flight else {
        // An empty micro-batch is released by its backward pass.
        return MessageBuffer(count: 0)
      }
      defer { release(operation) }
      return message.encode(
        flight.activations.hiddenGradient, rows: flight.batch.rowCount, options: [],
        worker(rows: flight.activations.rows).operations)
    case .answers:
      return MessageBuffer(
        Plain.bytes(answers.options(step: step.step, known: pass + 1, of: range)))
    case .columns:
      return MessageBuffer(
        Plain.bytes(refined.values(before: step.step + 1, sites: sharedSites(operation))))
    case .norm:
      guard place == 0 else { return MessageBuffer(Plain.bytes(trainer?.share ?? [])) }
      let total = total ?? join()
      self.total = total
      return MessageBuffer(Plain.bytes([total.loss, total.norm]))
    case .sums, .none: preconditionFailure("\(operation): this executor runs one pipeline")
    }
  }

  // MARK: Other stages

  private func stageIndex(_ device: Int32) -> Int {
    work.pipeline.trained.firstIndex { $0.device == Int(device) } ?? 0
  }

  private func sites(ofTrained device: Int32) -> [AdapterSite] {
    allSites.filter { work.pipeline.trained[stageIndex(device)].layers.contains($0.layer) }
  }

  /// The adapted layers that this rank and another one both hold.
  private func sharedSites(_ operation: Operation) -> [AdapterSite] {
    let other = (work.pipeline.trained + work.pipeline.forward).first { $0.device == Int(operation.peer) }
    return adapter.sites.filter { other?.layers.contains($0.layer) ?? false }
  }

  private var allSites: [AdapterSite] {
    let projections = Set(adapter.sites.map(\.projection))
    let layers = stage.configuration.layerCount
    return AdapterSite.all(stage.configuration, layers: 0..<layers, targets: projections)
  }
}

/// What one stage did in a window.
struct StageFigures {
  /// Bytes of the schedule's messages by receiver.
  var bytes: [Int: Int] = [:]
  /// Seconds in which it computed.
  var computing = 0.0
}

/// One update as a stage that trains sees it.
struct StepFigures {
  var step: Int
  var loss: Double
  var norm: Double
  var tokens: Int
  var targets: Int
  var seconds: Double
}
