import ContextLoRA
import Foundation
import Runs

/// A training of a workflow in this process, into a run folder.
public struct TrainingRun: Sendable {
  /// Whether a training continues from the last checkpoint in its folder.
  public enum Resumption: Sendable {
    /// It starts anew, in a folder that must be new or empty.
    case never
    /// It continues; the folder must have a run.
    case required
    /// It continues if the folder has a run, and starts otherwise.
    case ifBegun
  }

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
  /// `CancellationError`; `resume: .required` then continues exactly where it ended.
  ///
  /// - Parameters:
  ///   - resume: whether to continue a training that was interrupted.
  ///   - onEvent: called on the training's thread, which waits for it.
  /// - Throws: `InputError` that names what is wrong and what to do. A run that fails keeps its last checkpoint.
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

/// What a training reports while it runs.
public enum TrainingEvent: Sendable, Equatable {
  /// It continues after this many optimiser steps of the run.
  case resumed(totalSteps: Int)
  /// The phase of a task begins, or continues after `step` optimiser steps.
  case phaseStarted(task: String, step: Int, plannedSteps: Int)
  /// An optimiser step was made.
  case step(TrainingStep)
  /// A phase fails in a way that no single step shows.
  case warning(TrainingWarning)
}

/// One optimiser step of a training.
public struct TrainingStep: Sendable, Equatable {
  /// The task that trains.
  public let task: String
  /// The step within the task's phase, from 1.
  public let step: Int
  /// The step within the run, from 1.
  public let totalStep: Int
  /// The steps of the phase as planned now; validation may change it.
  public let plannedSteps: Int
  /// The steps of the run as planned now.
  public let plannedTotalSteps: Int
  /// Mean cross-entropy over the answers' tokens, in nats.
  public let loss: Double
  /// The accuracy on validation episodes, 0...1, if they were answered after this step.
  public let validationAccuracy: Double?

  init(_ record: StepRecord, planned: Int, later: Int) {
    (task, step, totalStep, loss) = (record.task, record.step, record.totalStep, record.loss)
    (plannedSteps, plannedTotalSteps) = (planned, record.totalStep + planned - record.step + later)
    validationAccuracy = record.validation?.score.accuracy
  }
}

/// A phase has failed in a way that no single step shows.
public struct TrainingWarning: Sendable, Equatable {
  /// What happened.
  public enum Kind: String, Sendable, Codable {
    /// The task is no better than always giving its most frequent answer.
    case notLearnt = "not learnt"
    /// The validation loss is far above its best value.
    case diverging
    /// A task whose columns were refined answers fewer validation episodes right than before.
    case prerequisiteDropped = "prerequisite dropped"
    /// The task's columns are as they were at the start.
    case columnsDidNotMove = "columns did not move"
  }

  /// What happened.
  public let kind: Kind
  /// The task that was training.
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

/// What a training that has ended was like.
public struct TrainingResult: Sendable, Equatable {
  /// The optimiser steps of the run.
  public let totalSteps: Int
  /// The warnings of the run, also those before it was resumed.
  public let warnings: [TrainingWarning]
}
