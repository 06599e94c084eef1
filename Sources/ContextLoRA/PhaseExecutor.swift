import Foundation
import LanguageModels
import TaskGraph

/// Runs the optimiser steps of a phase and holds its columns: in this process, or over the ranks of a job.
///
/// `WorkflowTrainer` decides what happens next. Over several ranks each of them has a trainer, and all take the same
/// decisions in the same order; one of them leads: it knows losses and scores, reports, and writes.
package protocol PhaseExecutor: AnyObject {
  /// Whether this process leads.
  var leads: Bool { get }
  /// The samples of each task.
  var sampleCount: Int { get }
  /// What phases are validated on, if the options say that they are.
  var validation: (any ValidationEpisodes)? { get }
  /// The columns of all layers, as of the phase's start or the last `gather`.
  var adapter: LoRAAdapter { get }
  /// The phase of `withPhase`; columns may have frozen since.
  var phase: Phase? { get }
  /// The most steps that `run` takes at once.
  var longestWindow: Int { get }
  /// Whether the steps to come need `gather` and `distribute` after every `run`, and not only at checkpoints.
  var sharesColumns: Bool { get }

  /// Gives everyone the leader's checkpoint.
  ///
  /// - Throws: the transport's errors.
  func share(_ checkpoint: TrainingCheckpoint?) throws -> TrainingCheckpoint?
  /// Gives everyone the leader's progress.
  ///
  /// - Throws: the transport's errors.
  func share(_ progress: PhaseProgress) throws -> PhaseProgress
  /// Whether the leader wants to stop after these steps. Where that cannot be asked between checkpoints, it is not.
  ///
  /// - Throws: the transport's errors.
  func stops(atCheckpoint: Bool, _ shouldStop: () -> Bool) throws -> Bool

  /// Prepares a phase from its start, or from a checkpoint within it, calls `body`, and ends the phase: the model is as
  /// it was before.
  ///
  /// - Parameter body: receives the planned bytes of the phase's steps in this process.
  /// - Throws: what the data, the model's file and `body` throw.
  func withPhase<Result>(
    _ phase: Phase, from checkpoint: TrainingCheckpoint?, pace: PhasePace,
    _ body: (_ bytes: Int) throws -> Result
  ) throws -> Result
  /// Takes some optimiser steps.
  ///
  /// - Parameters:
  ///   - report: called on the leader after each step.
  ///   - onEvent: called on the leader with what is decided before a step.
  /// - Throws: what the data, the transport and the closures throw.
  func run(
    _ window: [StepSamples], pace: PhasePace, report: (StepOutcome) throws -> Void,
    onEvent: (TrainingEvent) throws -> Void
  ) throws
  /// What the task in training reaches on its validation episodes now; `nil` if this process does not lead.
  ///
  /// - Throws: what the data and the transport throw.
  func score() throws -> ValidationScore?
  /// What some tasks reach, each with its own columns of `adapter`; empty if this process does not lead.
  ///
  /// - Throws: what the data and the transport throw.
  func scores(of tasks: [String]) throws -> [String: ValidationScore]
  /// Keeps the columns as they are now as the phase's best.
  func keepBest()
  /// Everything a run needs to continue from here: the leader gets it, and has the trained columns in `adapter`.
  ///
  /// - Parameter position: the columns and losses of its phase are filled in here. Where it is between phases, the
  ///   phase's best columns are those of the adapter.
  /// - Throws: the transport's errors.
  func gather(_ position: TrainingCheckpoint.Position) throws -> TrainingCheckpoint?
  /// Gives whoever predicts parents' answers the columns that the leader has gathered.
  ///
  /// - Throws: the transport's errors.
  func distribute(_ checkpoint: TrainingCheckpoint?, step: Int) throws
  /// Everyone gets the columns that the phase has trained, in `adapter`.
  ///
  /// - Throws: the transport's errors.
  func shareAdapter() throws
}

/// The samples of one optimiser step.
package struct StepSamples: Sendable, Equatable {
  /// The step within the phase, from 0.
  package var step: Int
  /// The epoch its samples belong to.
  package var epoch: Int
  /// The samples in the order of the micro-batches.
  package var samples: [Int]

  package init(step: Int, epoch: Int, samples: [Int]) {
    (self.step, self.epoch, self.samples) = (step, epoch, samples)
  }
}

/// What one optimiser step did.
package struct StepOutcome: Sendable, Equatable {
  /// The step within the phase, from 0.
  package var step: Int
  /// Mean cross-entropy over the batch's labels, in nats.
  package var loss: Double
  /// The Euclidean norm of the gradient before clipping.
  package var gradientNorm: Double
  /// Tokens of the samples.
  package var tokens: Int
  /// Labels.
  package var targets: Int
  /// Wall time, with the time to predict parents' answers.
  package var seconds: Double

  package init(step: Int, loss: Double, gradientNorm: Double, tokens: Int, targets: Int, seconds: Double) {
    (self.step, self.loss, self.gradientNorm) = (step, loss, gradientNorm)
    (self.tokens, self.targets, self.seconds) = (tokens, targets, seconds)
  }
}

/// Where checkpoints go and what they belong to.
package struct CheckpointDestination: Sendable {
  /// The file, replaced by each checkpoint.
  package var url: URL
  /// Identifies the workflow.
  package var workflow: String
  /// Identifies the base model.
  package var model: String

  package init(url: URL, workflow: String, model: String) {
    (self.url, self.workflow, self.model) = (url, workflow, model)
  }
}
