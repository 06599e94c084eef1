import Foundation
import LanguageModels
import TaskGraph

/// Runs the optimiser steps of a phase and holds its columns, in this process or over the ranks of a job.
///
/// `WorkflowTrainer` decides what happens next. In a job every rank has a trainer, and all make the same
/// decisions in the same order. One rank leads: it has the losses and scores, reports events, and writes
/// files.
package protocol PhaseExecutor: AnyObject {
  /// Whether this process leads.
  var leads: Bool { get }
  /// The number of samples of each task.
  var sampleCount: Int { get }
  /// The validation episodes; `nil` if the options ask for none.
  var validation: (any ValidationEpisodes)? { get }
  /// The columns of all layers, as of the start of the phase or the last `gather`.
  var adapter: LoRAAdapter { get }
  /// The phase passed to `withPhase`, less any columns frozen since.
  var phase: Phase? { get }
  /// The largest number of steps per call of `run`.
  var longestWindow: Int { get }
  /// Whether `gather` and `distribute` are needed after every `run`, not only at checkpoints.
  var sharesColumns: Bool { get }

  /// Broadcasts the leader's checkpoint.
  ///
  /// - Throws: the transport's errors.
  func share(_ checkpoint: TrainingCheckpoint?) throws -> TrainingCheckpoint?
  /// Broadcasts the leader's progress.
  ///
  /// - Throws: the transport's errors.
  func share(_ progress: PhaseProgress) throws -> PhaseProgress
  /// Whether the leader wants to stop after these steps. If ranks cannot agree on that between checkpoints,
  /// the result there is `false`.
  ///
  /// - Throws: the transport's errors.
  func stops(atCheckpoint: Bool, _ shouldStop: () -> Bool) throws -> Bool

  /// Gives the phase's own columns in `adapter` the values that they start with, the same on every rank.
  func start(_ phase: Phase)
  /// Prepares a phase from its start or from a checkpoint within it, calls `body`, and ends the phase by
  /// restoring the model's weights.
  ///
  /// - Parameter body: receives the planned bytes of the phase's steps in this process.
  /// - Throws: the errors of the data, the model's file and `body`.
  func withPhase<Result>(
    _ phase: Phase, from checkpoint: TrainingCheckpoint?, pace: PhasePace,
    _ body: (_ bytes: Int) throws -> Result
  ) throws -> Result
  /// Runs the optimiser steps of a window.
  ///
  /// - Parameters:
  ///   - report: called on the leader after each step.
  ///   - onEvent: called on the leader with decisions made before a step.
  /// - Throws: the errors of the data, the transport and the closures.
  func run(
    _ window: [StepSamples], pace: PhasePace, report: (StepOutcome) throws -> Void,
    onEvent: (TrainingEvent) throws -> Void
  ) throws
  /// The current validation score of the task in training; `nil` if this process does not lead.
  ///
  /// - Throws: the errors of the data and the transport.
  func score() throws -> ValidationScore?
  /// The validation scores of some tasks, each with its own columns of `adapter`; empty if this process does
  /// not lead.
  ///
  /// - Throws: the errors of the data and the transport.
  func scores(of tasks: [String]) throws -> [String: ValidationScore]
  /// Keeps the current columns as the phase's best.
  func keepBest()
  /// Collects everything that a run needs to resume from here. On the leader, the result is that checkpoint,
  /// and `adapter` has the trained columns.
  ///
  /// - Parameter position: lacks the columns and losses of its phase, which are filled in here. If it is
  ///   between phases, the adapter gets the phase's best columns.
  /// - Throws: the transport's errors.
  func gather(_ position: TrainingCheckpoint.Position) throws -> TrainingCheckpoint?
  /// Sends the gathered columns from the leader to the ranks that predict parents' answers.
  ///
  /// - Throws: the transport's errors.
  func distribute(_ checkpoint: TrainingCheckpoint?, step: Int) throws
  /// Copies the columns that the phase has trained to `adapter` on every rank.
  ///
  /// - Throws: the transport's errors.
  func shareAdapter() throws
}

/// The samples of one optimiser step.
package struct StepSamples: Sendable, Equatable {
  /// The step within the phase, from 0.
  package var step: Int
  /// The epoch of its samples.
  package var epoch: Int
  /// Sample indices, in the order of the micro-batches.
  package var samples: [Int]

  package init(step: Int, epoch: Int, samples: [Int]) {
    (self.step, self.epoch, self.samples) = (step, epoch, samples)
  }
}

/// The result of one optimiser step.
package struct StepOutcome: Sendable, Equatable {
  /// The step within the phase, from 0.
  package var step: Int
  /// Mean cross-entropy over the batch's labels, in nats.
  package var loss: Double
  /// The Euclidean norm of the gradient before clipping.
  package var gradientNorm: Double
  /// The number of tokens of the samples.
  package var tokens: Int
  /// The number of tokens that carry loss.
  package var targets: Int
  /// Wall time, including the prediction of parents' answers.
  package var seconds: Double

  package init(step: Int, loss: Double, gradientNorm: Double, tokens: Int, targets: Int, seconds: Double) {
    (self.step, self.loss, self.gradientNorm) = (step, loss, gradientNorm)
    (self.tokens, self.targets, self.seconds) = (tokens, targets, seconds)
  }
}

/// Where checkpoints are written and which run they belong to.
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
