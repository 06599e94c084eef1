import LanguageModels

/// The progress of a phase: its pace and the results of validation so far. Saved in checkpoints.
///
/// It is the same for one process and for the ranks of a job, which differ only in how they obtain their
/// scores.
package struct PhaseProgress: Sendable, Equatable, Codable {
  /// How long the phase trains.
  package private(set) var pace: PhasePace
  /// The Euclidean norm of the task's own columns at the start of the phase. They train to its end, even if
  /// other columns freeze.
  package let startNorm: Double
  /// The score of each prerequisite with refined columns at the start of the phase.
  package var prerequisites: [String: ValidationScore] = [:]
  /// The number of consecutive validations far from the best one.
  private var diverging = 0
  /// The lowest validation loss so far.
  private var lowestLoss: Double?

  /// Starts a phase with these values of the task's own columns, flat.
  package init(_ pace: PhasePace, values: [Float]) {
    self.pace = pace
    startNorm = Self.norm(values)
  }

  /// Whether these numbers, read from a file, are possible for a phase.
  var isSound: Bool {
    pace.isSound && startNorm.isFinite && (0...1_000_000_000).contains(diverging)
      && lowestLoss?.isFinite ?? true && prerequisites.values.allSatisfy(\.isSound)
  }

  /// Whether this progress, received from another rank, is possible for the phase of an earlier one.
  package func canFollow(_ earlier: PhaseProgress, _ options: TrainingOptions, task: String?) -> Bool {
    guard isSound, pace.planned == earlier.pace.planned else { return false }
    guard let task else { return true }
    return pace.end <= max(options.stepLimit(task: task, planned: pace.planned), earlier.pace.end)
  }

  /// Takes the score of the state that the phase starts from as the best so far.
  mutating func start(from score: ValidationScore) {
    pace.start(from: score)
    lowestLoss = score.loss
  }

  /// Adds the cost of a step.
  package mutating func spend(tokens: Int, seconds: Double, _ options: TrainingOptions) {
    pace.spend(tokens: tokens, seconds: seconds, options.validation)
  }

  /// Records the score of the state after a step.
  ///
  /// - Parameters:
  ///   - majority: the accuracy of the most frequent answer, 0...1.
  ///   - seconds: the duration of the validation.
  /// - Returns: the report and the warnings that follow from it.
  package mutating func record(
    _ score: ValidationScore, task: String, step: Int, majority: Double, seconds: Double,
    _ options: TrainingOptions
  ) -> (report: ValidationReport, warnings: [TrainingWarning]) {
    guard let validation = options.validation else { preconditionFailure("a score without validation") }
    var warnings: [TrainingWarning] = []
    diverging = TrainingWarning.isDiverging(score, from: lowestLoss) ? diverging + 1 : 0
    // A single one may be a spike from which the next steps recover.
    if diverging == 2, let lowestLoss {
      warnings.append(.diverging(task: task, step: step, loss: score.loss, best: lowestLoss))
    }
    if score.loss.isFinite { lowestLoss = min(lowestLoss ?? score.loss, score.loss) }
    let (isBest, change) = pace.record(
      score, step: step, majority: majority, cooldown: options.learningRate.cooldown,
      limit: options.stepLimit(task: task, planned: pace.planned), validation)
    return (
      ValidationReport(score: score, isBest: isBest, change: change, end: pace.end, seconds: seconds),
      warnings
    )
  }

  /// The warnings at the end of a phase.
  ///
  /// - Parameters:
  ///   - values: the values of the task's own columns, flat.
  ///   - prerequisites: the current score of each prerequisite with refined columns.
  package func closing(
    task: String, values: [Float], majority: Double, prerequisites after: [String: ValidationScore]
  ) -> [TrainingWarning] {
    var warnings: [TrainingWarning] = []
    // A phase of a later round may end as it began, because nothing was better.
    if pace.best?.step != 0, abs(Self.norm(values) - startNorm) <= Self.leastMovement * startNorm {
      warnings.append(.columnsDidNotMove(task: task))
    }
    // Without a best state, no loss was finite.
    if pace.best?.score.isLearnt(majority: majority) != true {
      warnings.append(
        .notLearnt(task: task, accuracy: pace.best?.score.accuracy ?? 0, majority: majority))
    }
    for (name, before) in prerequisites.sorted(by: { $0.key < $1.key }) {
      guard let now = after[name], TrainingWarning.hasDropped(from: before, to: now) else { continue }
      warnings.append(
        .prerequisiteDropped(task: task, prerequisite: name, before: before.accuracy, after: now.accuracy))
    }
    return warnings
  }

  /// The smallest relative change of the norm of columns that count as moved. B begins at 0, and a step of
  /// AdamW moves a value by about the learning rate.
  private static let leastMovement = 1e-8

  private static func norm(_ values: [Float]) -> Double {
    values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
