import Foundation
import InputErrors
import TaskGraph

/// What a training run tells while it runs.
package enum TrainingEvent: Sendable {
  /// A phase starts, or goes on at `step`; `bytes` is its planned memory.
  case phaseStarted(Phase, step: Int, steps: Int, bytes: Int)
  /// An optimiser step is done, and validated where that was due.
  case step(StepRecord)
  /// A checkpoint will be written now: what belongs to its steps should be on the disk before it is.
  case checkpointDue
  /// A phase fails, or has failed, in a way that no step shows.
  case warning(TrainingWarning, totalStep: Int)
  /// Columns were, or were not, frozen from gradient evidence; `phase` holds its columns from now on.
  case decided([FreezeDecision], phase: Phase)
  /// A phase is done.
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
  /// Before clipping.
  package var gradientNorm: Double
  /// The rate of this step.
  package var learningRate: Double
  /// Tokens of the samples. What those of a micro-batch begin with in common is computed once.
  package var tokens: Int
  /// Tokens that carry loss.
  package var targets: Int
  /// Wall time of the step, predictions included.
  package var seconds: Double
  /// What the state after the step reaches on validation episodes, where that was due.
  package var validation: ValidationReport?

  /// Takes the figures.
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

/// A training run that cannot go on.
package enum TrainingError: InputError, Equatable {
  /// The loss or the gradient is no longer a number.
  case diverged(task: String, step: Int)

  /// What is wrong, where, and what to do.
  package var description: String {
    switch self {
    case .diverged(let task, let step):
      "task '\(task)', step \(step): the loss or its gradient is not finite; lower training.learningRate or "
        + "set training.clipNorm, and train again into a new folder"
    }
  }
}

extension Duration {
  /// As seconds.
  package var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
