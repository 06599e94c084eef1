/// What a run does.
package enum RunKind: String, Sendable, Codable, CaseIterable {
  case train, evaluate, experiment
}

/// What is known of a run when it begins.
package struct RunDescription: Sendable {
  package var kind: RunKind
  /// A short name for people; the folder's is a good one.
  package var name: String
  /// The run's folder, which identifies the run when it resumes; `nil` if it has none.
  package var folder: String?
  /// The workflow's name, and its canonical text.
  package var workflow: String?
  package var yaml: String?
  /// Settings by name, in the order in which they are shown.
  package var settings: [Setting] = []
  /// The path of the model, and what identifies it.
  package var model: String?
  package var modelIdentity: String?
  /// The data folder, and the SHA-256 of its training episodes.
  package var data: String?
  package var dataIdentity: String?
  package var seed: Int?
  /// The number format of the computation.
  package var precision: String?

  package init(_ kind: RunKind, name: String, folder: String? = nil) {
    (self.kind, self.name, self.folder) = (kind, name, folder)
  }

  package struct Setting: Sendable, Codable, Equatable {
    package var name, value: String

    package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
  }
}

/// One optimiser step. A number that is not finite is stored as absent.
package struct StepMetrics: Sendable, Equatable {
  /// The phase, from 0, and its round, from 1.
  package var phase, round: Int
  package var task: String
  /// The step within the phase, and within the run, from 1.
  package var step, totalStep: Int
  /// Mean cross-entropy in nats.
  package var loss: Double?
  /// The norm before clipping.
  package var gradientNorm: Double?
  package var learningRate: Double?
  package var tokens: Int
  /// The wall time of the step.
  package var seconds: Double
  /// The validation of the state after the step, if it was due: the loss in nats, and the accuracy from 0 to 1.
  package var validationLoss, validationAccuracy: Double?

  package init(
    phase: Int = 0, round: Int = 1, task: String, step: Int, totalStep: Int, loss: Double?,
    gradientNorm: Double? = nil, learningRate: Double? = nil, tokens: Int = 0, seconds: Double = 0,
    validationLoss: Double? = nil, validationAccuracy: Double? = nil
  ) {
    (self.phase, self.round, self.task, self.step, self.totalStep) = (phase, round, task, step, totalStep)
    (self.loss, self.gradientNorm, self.learningRate) = (loss, gradientNorm, learningRate)
    (self.tokens, self.seconds) = (tokens, seconds)
    (self.validationLoss, self.validationAccuracy) = (validationLoss, validationAccuracy)
  }
}

/// A warning of a run, with the total step at which it was given.
package struct RunWarning: Sendable, Codable, Equatable {
  package var totalStep: Int
  package var kind, task, text: String

  package init(totalStep: Int, kind: String, task: String, text: String) {
    (self.totalStep, self.kind, self.task, self.text) = (totalStep, kind, task, text)
  }
}

/// The result of an evaluation.
package struct EvaluationRecord: Sendable, Codable, Equatable {
  /// train, valid or test.
  package var split: String
  /// The data folder.
  package var data: String
  /// Whether the base model without an adapter was measured.
  package var isBase: Bool
  /// The number of episodes, and of those with every task right, given the predicted parents' answers.
  package var episodes, allRight: Int
  /// In the order of the workflow.
  package var tasks: [Task]

  package init(split: String, data: String, isBase: Bool = false, episodes: Int, allRight: Int, tasks: [Task])
  {
    (self.split, self.data, self.isBase) = (split, data, isBase)
    (self.episodes, self.allRight, self.tasks) = (episodes, allRight, tasks)
  }

  /// Right answers of one task, with gold and with predicted parents' answers.
  package struct Task: Sendable, Codable, Equatable {
    package var task: String
    package var goldCorrect, goldCount, chainedCorrect, chainedCount: Int

    package init(task: String, gold: (correct: Int, count: Int), chained: (correct: Int, count: Int)) {
      self.task = task
      (goldCorrect, goldCount) = gold
      (chainedCorrect, chainedCount) = chained
    }

    /// From 0 to 1; `nil` without answers.
    package var goldAccuracy: Double? { goldCount == 0 ? nil : Double(goldCorrect) / Double(goldCount) }
    /// From 0 to 1; `nil` without answers.
    package var chainedAccuracy: Double? {
      chainedCount == 0 ? nil : Double(chainedCorrect) / Double(chainedCount)
    }
  }

  /// The mean of the tasks' chained accuracies, from 0 to 1; `nil` without answers.
  package var accuracy: Double? {
    let all = tasks.compactMap(\.chainedAccuracy)
    return all.isEmpty ? nil : all.reduce(0, +) / Double(all.count)
  }
}

/// How a run ended.
package enum RunOutcome: Sendable, Equatable {
  case finished
  /// It was asked to stop, and can be resumed.
  case stopped
  /// With the message of the error.
  case failed(String)

  var name: String {
    switch self {
    case .finished: "finished"
    case .stopped: "stopped"
    case .failed: "failed"
    }
  }

  var message: String? { if case .failed(let text) = self { text } else { nil } }
}
