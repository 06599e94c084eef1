import Foundation
import InputErrors
import TaskGraph

/// An event that a training run reports.
package enum TrainingEvent: Sendable {
  /// A phase starts, or resumes at `step`; `bytes` is its planned memory.
  case phaseStarted(Phase, step: Int, steps: Int, bytes: Int)
  /// An optimiser step is done, and validated if that was due.
  case step(StepRecord)
  /// A checkpoint is about to be written. Records of its steps should reach the disk first.
  case checkpointDue
  /// A phase fails, or has failed, in a way that no step shows.
  case warning(TrainingWarning, totalStep: Int)
  /// Adaptive freezing has decided; `phase` has its columns from now on.
  case decided([FreezeDecision], phase: Phase)
  /// A phase is done, and the model's weights are its own again: it may be used until this event's handler returns.
  case phaseFinished(Phase)
  /// A checkpoint was written.
  case checkpoint(URL, TrainingCheckpoint.Position)
}

/// One line of the metrics.
package struct StepRecord: Sendable, Equatable, Codable {
  /// The phase, from 0.
  package var phase: Int
  /// The round, from 1.
  package var round: Int
  /// The task that trains.
  package var task: String
  /// The optimiser step within the phase, from 1.
  package var step: Int
  /// The optimiser step within the run, from 1.
  package var totalStep: Int
  /// Mean cross-entropy over the answer tokens, in nats.
  package var loss: Double
  /// The Euclidean norm of the gradient before clipping.
  package var gradientNorm: Double
  /// The learning rate of this step.
  package var learningRate: Double
  /// The number of tokens of the samples. The prefix shared by a micro-batch is computed once but counted for
  /// each sample.
  package var tokens: Int
  /// The number of tokens that carry loss.
  package var targets: Int
  /// Wall time of the step, including predictions.
  package var seconds: Double
  /// The validation of the state after the step, if it was due.
  package var validation: ValidationReport?

  package init(
    phase: Int, round: Int, task: String, step: Int, totalStep: Int, loss: Double, gradientNorm: Double,
    learningRate: Double, tokens: Int, targets: Int, seconds: Double, validation: ValidationReport? = nil
  ) {
    self.validation = validation
    (self.phase, self.round, self.task) = (phase, round, task)
    (self.step, self.totalStep) = (step, totalStep)
    (self.loss, self.gradientNorm, self.learningRate) = (loss, gradientNorm, learningRate)
    (self.tokens, self.targets, self.seconds) = (tokens, targets, seconds)
  }
}

/// An error that a training run cannot continue from.
package enum TrainingError: InputError, Equatable {
  /// The loss or the gradient is no longer finite.
  case diverged(task: String, step: Int)
  /// They were not finite in the training's first step, whose columns still add nothing to the model.
  case modelNotFinite(task: String)

  /// What is wrong, where, and how to fix it.
  package var description: String {
    switch self {
    case .diverged(let task, let step):
      "task '\(task)', step \(step): the loss or its gradient is not finite; lower training.learningRate or "
        + "set training.clipNorm, and train again into a new folder"
    case .modelNotFinite(let task):
      "task '\(task)', step 1: the loss or its gradient is not finite before anything is trained, so the model's "
        + "weights are the cause; fetch or convert the model again, or train with training.precision float32"
    }
  }
}
