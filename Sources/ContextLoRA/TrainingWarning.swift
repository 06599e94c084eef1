/// A failure of a phase that shows in validation although every step succeeds.
package enum TrainingWarning: Sendable, Equatable, Codable {
  /// The task is no better than always giving its most frequent answer.
  case notLearnt(task: String, accuracy: Double, majority: Double)
  /// The validation loss is far above its best value.
  case diverging(task: String, step: Int, loss: Double, best: Double)
  /// A prerequisite with refined columns answers fewer validation episodes correctly than before.
  case prerequisiteDropped(task: String, prerequisite: String, before: Double, after: Double)
  /// The phase's own columns are unchanged since its start.
  case columnsDidNotMove(task: String)

  /// A short name for logs.
  package var name: String {
    switch self {
    case .notLearnt: "not learnt"
    case .diverging: "diverging"
    case .prerequisiteDropped: "prerequisite dropped"
    case .columnsDidNotMove: "columns did not move"
    }
  }

  /// The task of the phase.
  package var task: String {
    switch self {
    case .notLearnt(let task, _, _), .diverging(let task, _, _, _), .prerequisiteDropped(let task, _, _, _),
      .columnsDidNotMove(let task):
      task
    }
  }

  /// What happened and which setting to change.
  package var text: String {
    switch self {
    case .notLearnt(let task, let accuracy, let majority):
      "\(task): validation accuracy \(percent(accuracy)), the majority answer scores \(percent(majority)): "
        + "not learnt; give it more steps (tasks.\(task).steps, training.budget), a higher "
        + "training.learningRate, or more rank"
    case .diverging(let task, let step, let loss, let best):
      "\(task), step \(step): diverging, the validation loss is \(rounded(loss)) after a best of "
        + "\(rounded(best)); lower training.learningRate"
    case .prerequisiteDropped(let task, let prerequisite, let before, let after):
      "\(task): prerequisite dropped, the validation accuracy of \(prerequisite) is \(percent(after)) and "
        + "was \(percent(before)) before; raise training.frozenRatio"
    case .columnsDidNotMove(let task):
      "\(task): its columns did not move; raise training.learningRate, and check that its episodes have answers"
    }
  }

  private func percent(_ share: Double) -> String { "\(Int((100 * share).rounded())) %" }

  private func rounded(_ value: Double) -> String {
    guard value.isFinite else { return "not a number" }
    let hundredths = Int((min(max(value, 0), 1e9) * 100).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100)." + (rest < 10 ? "0\(rest)" : "\(rest)")
  }
}

extension TrainingWarning {
  /// Whether a validation loss is far above the lowest one: by more than 20 % and 0.25 nats, or not finite.
  static func isDiverging(_ score: ValidationScore, from lowest: Double?) -> Bool {
    guard let lowest else { return false }
    return !(score.loss <= lowest + max(0.25, 0.2 * lowest))
  }

  /// Whether an accuracy has dropped by more than chance: two standard errors of the difference.
  static func hasDropped(from before: ValidationScore, to after: ValidationScore) -> Bool {
    let pooled = (before.accuracy + after.accuracy) / 2
    let error = (2 * pooled * (1 - pooled) / Double(max(after.count, 1))).squareRoot()
    return before.accuracy - after.accuracy > max(2 * error, 0.02)
  }
}
