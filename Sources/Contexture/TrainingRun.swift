import ContextLoRA
import Foundation
import Runs
import Synchronization

/// A training of a workflow in this process, into a run folder.
public struct TrainingRun: Sendable {
  private let workflow: Workflow
  private let out: String
  private let models: String

  /// - Parameters:
  ///   - out: the run folder to make.
  ///   - models: the folder of fetched models.
  public init(_ workflow: Workflow, out: String, models: String = "models") {
    (self.workflow, self.out, self.models) = (workflow, out, models)
  }

  /// Trains to the end.
  ///
  /// If the calling task is cancelled, the training writes a checkpoint after its current step and throws
  /// `CancellationError`; `resume` then continues exactly where it ended.
  ///
  /// - Parameters:
  ///   - resume: whether to continue a training that was interrupted.
  ///   - onStep: called after every optimiser step, on the training's thread.
  /// - Throws: `InputError` that names what is wrong and what to do. A run that fails keeps its last checkpoint.
  public func run(
    resume: Bool = false, onStep: @escaping @Sendable (TrainingStep) -> Void = { _ in }
  ) async throws {
    let run = Runs.TrainingRun(workflow.definition, out: out, models: models)
    let isDone = try await Workers(count: 1).run { isCancelled in
      try run.run(resume: resume, shouldStop: isCancelled) { event in
        if case .training(.step(let record), _) = event { onStep(TrainingStep(record)) }
      }
    }
    if !isDone { throw CancellationError() }
  }
}

/// One optimiser step of a training.
public struct TrainingStep: Sendable, Equatable {
  /// The task that trains.
  public let task: String
  /// The step within the task's phase, from 1.
  public let step: Int
  /// The step within the run, from 1.
  public let totalStep: Int
  /// Mean cross-entropy over the answers' tokens, in nats.
  public let loss: Double
  /// The accuracy on validation episodes, 0...1, if they were answered after this step.
  public let validationAccuracy: Double?

  init(_ record: StepRecord) {
    (task, step, totalStep, loss) = (record.task, record.step, record.totalStep, record.loss)
    validationAccuracy = record.validation?.score.accuracy
  }
}
