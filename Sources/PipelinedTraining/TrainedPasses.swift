import ContextLoRA
import LanguageModels
import Tensor
import Transport

/// The forward and backward passes of one stage over the micro-batches of the task that trains.
final class TrainedPasses {
  let trainer: StageTrainer
  private let stage: LlamaStage
  private let work: PhaseWork
  private let samples: any ChoiceSamples
  private let predictions: PredictionPasses
  private let message: ActivationMessage
  /// Whether layers below this stage are adapted.
  private let inputGradient: Bool
  /// The expected number of rows of a micro-batch.
  private let usualRows: Int
  /// Tokens of the samples since the last step.
  var tokens = 0

  private var flying: [Int: Flight] = [:]
  private var free: [StageActivations] = []
  private var worker: StageWorker?
  /// The number of labels of each sample seen so far.
  private var targetCounts: [Int: Int] = [:]

  /// A micro-batch between its forward and its backward pass.
  private struct Flight {
    let batch: PackedBatch
    let activations: StageActivations
  }

  /// - Parameter longest: the maximum number of rows of a micro-batch.
  init(
    _ stage: LlamaStage, work: PhaseWork, samples: any ChoiceSamples, trainer: StageTrainer,
    predictions: PredictionPasses, message: ActivationMessage, inputGradient: Bool, longest: Int
  ) {
    (self.stage, self.work, self.samples, self.trainer) = (stage, work, samples, trainer)
    (self.predictions, self.message, self.inputGradient) = (predictions, message, inputGradient)
    usualRows = longest * 3 / 4
  }

  /// Bytes of activations, scratch, gradients, moments and adapter now.
  var byteCount: Int {
    trainer.byteCount + (worker?.byteCount ?? 0)
      + (free + flying.values.map(\.activations)).reduce(0) { $0 + $1.byteCount }
  }

  // MARK: One micro-batch, forward and then backward

  /// Stores the previous stage's output.
  ///
  /// - Parameter check: throws if the message does not have this number of rows.
  func receiveActivation(
    _ buffer: MessageBuffer, _ micro: MicroBatch, check: (_ rows: Int) throws -> Void
  ) throws {
    let flight = try makeFlight(micro)
    try check(flight.batch.rowCount)
    message.decode(
      buffer, options: micro.pass * micro.positions.count, batch: flight.batch,
      into: flight.activations.hidden,
      makeWorker(flight).operations)
  }

  /// Runs the stage's layers; on the last stage, computes the loss and the gradient of the stage's output.
  func forward(_ micro: MicroBatch) throws {
    let flight = try makeFlight(micro)
    let (batch, activations) = (flight.batch, flight.activations)
    tokens += batch.sequenceTokenCount
    guard batch.rowCount > 0 else { return }
    let worker = makeWorker(flight)
    if stage.isFirst {
      try stage.embed(
        batch.tokens, into: activations.hidden.rows(0..<batch.paddedRowCount), worker.operations)
    }
    stage.forward(batch, activations, outputRows: batch.targetRows, adapter: trainer.view, worker)
    if stage.isLast {
      let scale = 1 / Float(max(try targetCount(of: micro.batch), 1))
      trainer.loss += stage.loss(batch, activations, scale: scale, worker)
    }
  }

  /// The stage's output for the next stage.
  func sendActivation(_ micro: MicroBatch) -> MessageBuffer {
    let flight = held(micro)
    return message.encode(
      flight.activations.hidden, rows: flight.batch.rowCount,
      options: predictions.answers.options(step: micro.step, known: micro.pass, of: micro.positions),
      makeWorker(flight).operations)
  }

  /// Stores the gradient of the stage's output, received from the next stage.
  ///
  /// - Parameter check: throws if the message does not have this number of rows.
  func receiveGradient(
    _ buffer: MessageBuffer, _ micro: MicroBatch, check: (_ rows: Int) throws -> Void
  ) rethrows {
    let flight = held(micro)
    try check(flight.batch.rowCount)
    message.decode(
      buffer, options: 0, batch: flight.batch, into: flight.activations.hiddenGradient,
      makeWorker(flight).operations)
  }

  /// Runs the layers backward and adds the micro-batch's gradient to the step's.
  func backward(_ micro: MicroBatch) {
    let flight = held(micro)
    guard flight.batch.rowCount > 0 else { return release(micro) }
    stage.backward(
      flight.batch, flight.activations, outputRows: flight.batch.targetRows, inputGradient: inputGradient,
      adapter: trainer.view, gradients: trainer.microBatchGradients, makeWorker(flight))
    trainer.addMicroBatch()
    if stage.isFirst { release(micro) }
  }

  /// The gradient of the stage's input for the previous stage; empty if the micro-batch has no samples.
  func sendGradient(_ micro: MicroBatch) -> MessageBuffer {
    guard let flight = flying[micro.index] else { return MessageBuffer(count: 0) }
    defer { release(micro) }
    return message.encode(
      flight.activations.hiddenGradient, rows: flight.batch.rowCount, options: [],
      makeWorker(flight).operations)
  }

  /// The number of labels of a step's batch, over all its pipelines.
  func targetCount(of batch: StepSamples) throws -> Int {
    try batch.samples.reduce(0) { sum, sample in
      let count =
        try targetCounts[sample]
        ?? samples.sequence(work.phase.task, sample: sample, parentAnswers: nil).targetCount
      targetCounts[sample] = count
      return sum + count
    }
  }

  // MARK: Buffers, allocated when a micro-batch first needs them and then kept

  private func makeFlight(_ micro: MicroBatch) throws -> Flight {
    if let known = flying[micro.index] { return known }
    let batch = PackedBatch(
      try micro.positions.map { position in
        try samples.sequence(
          work.phase.task, sample: micro.batch.samples[position],
          parentAnswers: work.passes.isEmpty ? nil : predictions.chosen(micro, position: position))
      })
    let rows = max(batch.rowCount, 1)
    let activations =
      free.firstIndex { $0.rows >= rows }.map { free.remove(at: $0) }
      ?? StageActivations(stage, rows: max(rows, usualRows), adapter: trainer.view)
    let flight = Flight(batch: batch, activations: activations)
    flying[micro.index] = flight
    return flight
  }

  private func makeWorker(_ flight: Flight) -> StageWorker {
    let rows = flight.activations.rows
    if let worker, worker.rows >= rows { return worker }
    let made = StageWorker(stage, rows: rows, adapter: trainer.view, threads: stage.device.workerCount)
    worker = made
    return made
  }

  private func held(_ micro: MicroBatch) -> Flight {
    guard let flight = flying[micro.index] else {
      preconditionFailure("micro-batch \(micro.index) comes before its forward pass")
    }
    return flight
  }

  private func release(_ micro: MicroBatch) {
    if let flight = flying.removeValue(forKey: micro.index) { free.append(flight.activations) }
  }
}
