import ContextLoRA
import Foundation
import Runs

/// Trains a workflow in this process and writes a run folder.
public struct TrainingRun: Sendable {
  /// Whether training resumes from the last checkpoint in the run folder.
  public enum Resumption: Sendable {
    /// Starts a new run; the folder must be missing or empty.
    case never
    /// Resumes; the folder must contain a run.
    case required
    /// Resumes if the folder contains a run, otherwise starts a new one.
    case ifBegun
  }

  private let workflow: Workflow
  private let out: String
  private let models: String

  /// - Parameters:
  ///   - out: the run folder.
  ///   - models: the folder of fetched models.
  public init(_ workflow: Workflow, out: String, models: String = "models") {
    (self.workflow, self.out, self.models) = (workflow, out, models)
  }

  /// Trains to the end.
  ///
  /// If the calling Swift task is cancelled, training writes a checkpoint after the current step and throws
  /// `CancellationError`; `resume: .required` then resumes exactly there. Before the first step, nothing is
  /// written; `resume: .ifBegun` covers both.
  ///
  /// - Parameters:
  ///   - resume: whether to resume an interrupted run.
  ///   - onEvent: called synchronously on the training thread.
  /// - Throws: `InputError`, with the problem and the fix. A run that fails keeps its last checkpoint.
  @discardableResult
  public func run(
    resume: Resumption = .never, onEvent: @escaping @Sendable (TrainingEvent) -> Void = { _ in }
  ) async throws -> TrainingResult {
    let run = Runs.TrainingRun(workflow.definition, out: out, models: models)
    let folder = RunFolder(out)
    return try await Workers(count: 1).run { isCancelled in
      let resumes =
        switch resume {
        case .never: false
        case .required: true
        case .ifBegun: folder.hasBegun
        }
      var (total, planned) = (0, 0)
      let isDone = try run.run(resume: resumes, shouldStop: isCancelled) { event in
        switch event {
        case .preparing(let progress):
          onEvent(.preparing(file: progress.path, done: progress.done, total: progress.all))
        case .longAnswers(let answers): onEvent(.note(answers.text))
        case .unreadFile(let file): onEvent(.note(file.text))
        case .promptsCut(let task, let count):
          onEvent(
            .note(
              "in \(count) prompts of \(task), predicted answers of its parents were shortened to fit the context"
            ))
        case .resumed(let steps):
          total = steps
          onEvent(.resumed(totalSteps: steps))
        case .training(.phaseStarted(let phase, let step, let steps, _), _):
          planned = steps
          onEvent(.phaseStarted(task: phase.task, step: step, plannedSteps: steps))
        case .training(.step(let record), let laterSteps):
          total = record.totalStep
          planned = record.validation?.end ?? planned
          onEvent(.step(TrainingStep(record, planned: planned, later: laterSteps)))
        case .training(.warning(let warning, let step), _):
          onEvent(.warning(TrainingWarning(warning, totalStep: step)))
        default: break
        }
      }
      guard isDone else { throw CancellationError() }
      return TrainingResult(
        totalSteps: total, warnings: try folder.loggedWarnings().compactMap(TrainingWarning.init))
    }
  }
}

/// An event that training reports while it runs.
public enum TrainingEvent: Sendable, Equatable {
  /// A file of episodes is being read or checked; `done` of `total` bytes or episodes are done.
  case preparing(file: String, done: Int, total: Int)
  /// Something about the data that does not prevent training, such as gold answers that are longer than generated ones
  /// may be, or a file that cannot be read and that training does not use.
  case note(String)
  /// The run resumes after `totalSteps` optimiser steps.
  case resumed(totalSteps: Int)
  /// The phase of a task starts, or resumes after `step` of its optimiser steps.
  case phaseStarted(task: String, step: Int, plannedSteps: Int)
  /// An optimiser step is done.
  case step(TrainingStep)
  /// A phase fails in a way that does not show in any single step.
  case warning(TrainingWarning)
}

/// One optimiser step.
public struct TrainingStep: Sendable, Equatable {
  /// The task being trained.
  public let task: String
  /// The step within the task's phase, from 1.
  public let step: Int
  /// The step within the run, from 1.
  public let totalStep: Int
  /// The phase's currently planned number of steps; validation may change it.
  public let plannedSteps: Int
  /// The run's currently planned number of steps.
  public let plannedTotalSteps: Int
  /// Mean cross-entropy over the batch's answer tokens, in nats.
  public let loss: Double
  /// The accuracy on the validation episodes after this step, 0...1; `nil` if the step was not validated.
  public let validationAccuracy: Double?

  init(_ record: StepRecord, planned: Int, later: Int) {
    (task, step, totalStep, loss) = (record.task, record.step, record.totalStep, record.loss)
    (plannedSteps, plannedTotalSteps) = (planned, record.totalStep + planned - record.step + later)
    validationAccuracy = record.validation?.score.accuracy
  }
}

/// A failure of a phase that does not show in any single step.
public struct TrainingWarning: Sendable, Equatable {
  /// The kinds of failure.
  public enum Kind: String, Sendable, Codable {
    /// The task is no better than always giving its most frequent answer.
    case notLearnt = "not learnt"
    /// The validation loss is far above its best value.
    case diverging
    /// A prerequisite with refined columns answers fewer validation episodes correctly than before.
    case prerequisiteDropped = "prerequisite dropped"
    /// The task's own columns have not changed since the phase started.
    case columnsDidNotMove = "columns did not move"
  }

  /// The kind of failure.
  public let kind: Kind
  /// The task being trained.
  public let task: String
  /// The optimiser steps of the run so far.
  public let totalStep: Int
  /// What happened and which setting to change.
  public let text: String
}

extension TrainingWarning {
  init?(_ warning: LoggedWarning) {
    guard let kind = Kind(rawValue: warning.kind) else { return nil }
    self.init(kind: kind, task: warning.task, totalStep: warning.totalStep, text: warning.text)
  }

  init(_ warning: ContextLoRA.TrainingWarning, totalStep: Int) {
    let kind: Kind =
      switch warning {
      case .notLearnt: .notLearnt
      case .diverging: .diverging
      case .prerequisiteDropped: .prerequisiteDropped
      case .columnsDidNotMove: .columnsDidNotMove
      }
    self.init(kind: kind, task: warning.task, totalStep: totalStep, text: warning.text)
  }
}

/// The result of a completed training.
public struct TrainingResult: Sendable, Equatable {
  /// The number of optimiser steps of the run.
  public let totalSteps: Int
  /// The warnings of the whole run, including those from before it was resumed.
  public let warnings: [TrainingWarning]
}
