import ContextGear
import ContextLoRA
import LanguageModels
import Tensor
import Transport

/// Executes one rank's operations of a phase's schedule, on ranks of `D_t` (which train) and of `D_f`
/// (forward only).
final class StageRunner {
  let work: PhaseWork
  let position: StagePosition
  let stage: LlamaStage
  let link: StageLink
  let message: ActivationMessage
  /// The adapter for this stage's layers; trained columns as of the start of the phase.
  let adapter: LoRAAdapter
  /// The target modules of the whole model; `adapter` has those of this stage, possibly none.
  let allModules: [TargetModule]
  let samples: any ChoiceSamples
  /// The maximum number of rows of a sample in each pass.
  let longest: [Int]
  let predictions: PredictionPasses
  /// `nil` at a stage of `D_f`.
  let training: TrainedPasses?
  var total = StepTotal()
  let messageMemory = MessageMemory()
  var window: StepWindow
  /// The phase's pace as of the start of the window.
  var pace: PhasePace
  /// Bytes sent and time spent computing since the window began.
  private(set) var figures = StageFigures()

  init(
    _ link: StageLink, work: PhaseWork, position: StagePosition, stage: LlamaStage, adapter: LoRAAdapter,
    columns: ColumnView, allModules: [TargetModule], samples: any ChoiceSamples, pace: PhasePace
  ) throws {
    (self.link, self.work, self.position, self.stage) = (link, work, position, stage)
    (self.adapter, self.allModules, self.samples, self.pace) = (adapter, allModules, samples, pace)
    window = StepWindow(steps: [], position: position)
    message = ActivationMessage(wire: link.wire, hidden: stage.configuration.hiddenSize)
    let longestSequence = try samples.longestSequence(work.phase.task)
    longest = try work.passes.map { try samples.longestQuestion($0.task) } + [longestSequence]
    predictions = PredictionPasses(stage, work: work, samples: samples, adapter: adapter, message: message)
    training =
      position.trains
      ? TrainedPasses(
        stage, work: work, samples: samples,
        trainer: StageTrainer(
          stage, adapter: adapter, columns: columns, options: work.options,
          historyLimit: samples.usesPredictions ? work.options.staleness : 0),
        predictions: predictions, message: message,
        inputGradient: allModules.contains { $0.layer < stage.layers.lowerBound },
        longest: position.pipeline.microBatch * longestSequence) : nil
  }

  /// Bytes of activations, scratch, gradients, moments and adapter now.
  var byteCount: Int { predictions.byteCount + (training?.byteCount ?? 0) }

  /// Executes the operations of a window of steps.
  ///
  /// - Parameter onStep: called after each update at a stage that trains.
  /// - Throws: the errors of the transport, the data and the model's file.
  func run(
    _ operations: ArraySlice<StageOperation>, window steps: [StepSamples],
    onStep: (StepOutcome) throws -> Void
  ) throws {
    window = StepWindow(steps: steps, position: position)
    figures = StageFigures()
    var inbox = Inbox(link, operations) { self.buffer(for: $0) }
    var sends: [Transfer] = []
    recordColumns(before: steps[0].step)
    var start = ContinuousClock.now
    for operation in operations {
      switch operation {
      case .receive(let message):
        let (buffer, count) = try inbox.next(message)
        try take(buffer, count: count, message)
      case .send(let message):
        let buffer = try outgoing(message)
        figures.bytes[message.peer, default: 0] += buffer.count
        sends.append(
          link.transport.send(buffer, to: message.peer, tag: StageLink.tag(message.number)))
        if sends.count >= 64 { sends = try unfinished(sends) }
      case .forward(let unit):
        try timed {
          let micro = window.microBatch(unit)
          if unit.pass < work.passes.count {
            try predictions.forward(micro)
          } else {
            try trained(operation).forward(micro)
          }
        }
      case .backward(let unit): timed { trained(operation).backward(window.microBatch(unit)) }
      case .update(let step):
        let training = trained(operation)
        timed { update(training, window[step].step) }
        // Messages between replicas are large, so completed ones are released.
        sends = try unfinished(sends)
        guard let total = total.end() else { continue }
        let now = ContinuousClock.now
        let targets = try training.targetCount(of: window[step])
        try onStep(
          StepOutcome(
            step: window[step].step, loss: total.loss / Double(max(targets, 1)), gradientNorm: total.norm,
            tokens: training.tokens, targets: targets, seconds: (now - start) / .seconds(1)))
        (start, training.tokens) = (now, 0)
      }
    }
    for send in sends {
      try send.wait(timeout: link.timeout)
      messageMemory.giveBack(send.buffer)
    }
  }

  private func timed(_ work: () throws -> Void) rethrows {
    let began = ContinuousClock.now
    try work()
    figures.computing += (ContinuousClock.now - began) / .seconds(1)
  }

  /// - Precondition: the stage belongs to `D_t`.
  func trained(_ operation: some CustomStringConvertible) -> TrainedPasses {
    guard let training else { preconditionFailure("\(operation) at a stage that only answers") }
    return training
  }

  private func update(_ training: TrainedPasses, _ step: Int) {
    let trainer = training.trainer
    trainer.update(
      norm: total.join(trainer.share).norm,
      learningRate: work.options.rate(step: step + 1, pace, of: work.phase)
    )
    recordColumns(before: step + 1)
    predictions.answers.remove(step: step)
  }

  /// Records this stage's own refined columns for its forward-only passes.
  private func recordColumns(before step: Int) {
    guard let trainer = training?.trainer, !work.refined.isEmpty else { return }
    predictions.refined.record(
      trainer.layout.narrowed(trainer.parameters, from: trainer.view.columns.trainable, to: work.refined),
      before: step)
  }

  /// Checks completed sends and returns the others. Never waits, because that could deadlock the stages.
  private func unfinished(_ sends: [Transfer]) throws -> [Transfer] {
    try sends.filter { send in
      guard send.isEnded else { return true }
      try send.wait(timeout: .seconds(0))
      messageMemory.giveBack(send.buffer)
      return false
    }
  }
}

/// The figures of one stage for a window.
struct StageFigures {
  /// Bytes of the schedule's messages, by receiver.
  var bytes: [Int: Int] = [:]
  /// Seconds spent computing.
  var computing = 0.0
}
