import ContextGear
import LanguageModels
import Tensor

/// Forward and backward passes of a stage's micro-batches, and the update.
extension StageRunner {
  // MARK: Batches

  func countTargets(_ step: Int32) throws -> Int {
    try window[Int(step)].samples.reduce(0) { sum, sample in
      let count =
        try targetCounts[sample]
        ?? samples.sequence(work.phase.task, sample: sample, parentAnswers: nil).targetCount
      targetCounts[sample] = count
      return sum + count
    }
  }

  func isTrained(_ operation: StageOperation) -> Bool { Int(operation.pass) == passCount }

  /// The answers chosen for a sample by the passes before `pass`; `nil` if it uses gold answers.
  func chosen(_ operation: StageOperation, place: Int) -> [String: String]? {
    let step = window[Int(operation.step)]
    guard
      samples.predicts(step.samples[place], phase: work.phase.index, epoch: step.epoch)
    else { return nil }
    var result: [String: String] = [:]
    for pass in 0..<Int(operation.pass) {
      let task = work.passes[pass].task
      result[task] = answers.option(step: step.step, pass: pass, sample: place).map {
        samples.text(task, sample: step.samples[place], option: $0)
      }
    }
    return result
  }

  func question(_ operation: StageOperation) throws -> Passing {
    var asked: [(place: Int, request: ScoreRequest)] = []
    let step = window[Int(operation.step)]
    let range = range(operation)
    for place in range {
      guard let known = chosen(operation, place: place) else { continue }
      let request = try samples.question(
        work.passes[Int(operation.pass)].task, sample: step.samples[place], parentAnswers: known)
      asked.append((place - range.lowerBound, request))
    }
    return Passing(batch: PackedBatch(asked.map(\.request)), asked: asked)
  }

  func trainedBatch(_ operation: StageOperation) throws -> PackedBatch {
    let step = window[Int(operation.step)]
    return PackedBatch(
      try range(operation).map { place in
        try samples.sequence(
          work.phase.task, sample: step.samples[place],
          parentAnswers: passCount == 0 ? nil : chosen(operation, place: place))
      })
  }

  // MARK: Computing

  func compute(_ operation: StageOperation) throws {
    switch operation.kind {
    case .forward where isTrained(operation): try forwardTrained(operation)
    case .forward: try forwardOnly(operation)
    case .backward: backward(operation)
    default: update(operation)
    }
  }

  func forwardOnly(_ operation: StageOperation) throws {
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
      stage.forward(
        batch, memory.activations, outputRows: batch.targetRows, adapter: views(for: step)[pass],
        memory.worker)
      if stage.isLast { choose(operation, passing, memory.worker, h) }
    } else if stage.isLast {
      answers.set(
        step: step, pass: pass, Array(repeating: AnswerTable.recorded, count: range.count), at: range,
        of: window[Int(operation.step)].samples.count)
    }
    if stage.isLast { self.passing = nil }
  }

  func choose(_ operation: StageOperation, _ passing: Passing, _ worker: StageWorker, _ h: Matrix) {
    let step = window[Int(operation.step)]
    let range = range(operation)
    let flat = stage.logProbabilities(passing.batch.targets, hidden: h, worker)
    var options = Array(repeating: AnswerTable.recorded, count: range.count)
    for ((place, _), scores) in zip(passing.asked, ScoreRequest.split(flat, passing.asked.map(\.request))) {
      options[place] = Int16(
        samples.choice(
          work.passes[Int(operation.pass)].task, sample: step.samples[range.lowerBound + place],
          scores: scores))
    }
    answers.set(step: step.step, pass: Int(operation.pass), options, at: range, of: step.samples.count)
  }

  func forwardTrained(_ operation: StageOperation) throws {
    guard let trainer else { preconditionFailure("a stage that only answers cannot train") }
    let flight = try takeFlight(operation)
    let batch = flight.batch
    tokens += batch.sequenceTokenCount
    guard batch.rowCount > 0 else { return }
    let worker = worker(rows: flight.activations.rows)
    if stage.isFirst {
      try stage.embed(
        batch.tokens, into: flight.activations.hidden.rows(0..<batch.paddedRowCount), worker.operations)
    }
    stage.forward(
      batch, flight.activations, outputRows: batch.targetRows, adapter: trainer.view, worker)
    if stage.isLast {
      let scale = 1 / Float(max(try countTargets(operation.step), 1))
      trainer.loss += stage.loss(batch, flight.activations, scale: scale, worker)
    }
  }

  func backward(_ operation: StageOperation) {
    guard let trainer else { preconditionFailure("a stage that only answers cannot train") }
    let flight = held(operation)
    guard flight.batch.rowCount > 0 else { return release(operation) }
    stage.backward(
      flight.batch, flight.activations, outputRows: flight.batch.targetRows,
      inputGradient: allSites.contains { $0.layer < stage.layers.lowerBound }, adapter: trainer.view,
      gradients: trainer.microBatchGradients, worker(rows: flight.activations.rows))
    trainer.addMicroBatch()
    if stage.isFirst { release(operation) }
  }

  func held(_ operation: StageOperation) -> Flight {
    guard let flight = flying[Int(operation.microBatch)] else {
      preconditionFailure("\(operation) comes before its forward pass")
    }
    return flight
  }

  func release(_ operation: StageOperation) {
    if let flight = flying.removeValue(forKey: Int(operation.microBatch)) { free.append(flight.activations) }
  }

  func update(_ operation: StageOperation) {
    guard let trainer else { preconditionFailure("a stage that only answers cannot train") }
    let step = absolute(operation.step)
    let total = total ?? join()
    self.total = total
    if samples.usesPredictions {
      history = Array((history + [trainer.parameters]).suffix(work.options.staleness))
    }
    trainer.update(
      norm: total.norm, learningRate: work.options.learningRate.rate(step: step + 1, pace))
    recordColumns(before: step + 1)
    answers.remove(step: step)
  }

  /// Adds the loss and the norm over all stages, in the order of the layers.
  func join() -> (loss: Double, norm: Double) {
    let all = [trainer?.share ?? []] + shares.sorted { $0.key < $1.key }.map(\.value)
    shares = [:]
    return (
      all.reduce(0) { $0 + $1[0] }, all.flatMap { $0.dropFirst() }.reduce(0, +).squareRoot()
    )
  }
}
