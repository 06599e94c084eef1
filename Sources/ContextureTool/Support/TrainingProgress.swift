import ContextLoRA
import Foundation
import Glibc
import Runs
import TaskGraph
import Tensor
import Workflows

/// Shows the progress of a training: on a terminal, one line that is overwritten; elsewhere, a line now and
/// then.
final class TrainingProgress {
  private let preparation = PreparationProgress()
  private let phases: Int
  private let isTerminal: Bool
  private var hasTrained = false
  private var phaseSteps = 0
  /// The last validation of the phase.
  private var validation: ValidationReport?
  private var lossSum = 0.0
  private var lossCount = 0
  private var recentTokens: [Double] = []
  private var recentSeconds: [Double] = []
  private var lastLine = ContinuousClock.now
  /// The tokens per micro-batch and the number of threads, until the first step has been checked.
  private var unchecked: (tokens: Int, workers: Int)?
  private let microBatchTokens: Int?

  private let hasLauncher: Bool

  /// - Parameters:
  ///   - isRank: whether the output goes to the program that started the job. The rank sees a terminal, but no
  ///     line can be overwritten there.
  ///   - hasLauncher: whether that program is this one, which reads a `RankReport`.
  init(_ workflow: Workflow, isRank: Bool = false, hasLauncher: Bool = false) {
    (phases, self.hasLauncher) = (workflow.phaseSchedule.count, hasLauncher)
    isTerminal = !isRank && isatty(STDOUT_FILENO) == 1
    let training = workflow.training
    let canSplit = training.batchSize > 1 && training.microBatchSamples == nil
    microBatchTokens = canSplit ? training.microBatchTokens : nil
  }

  func show(_ event: TrainingRun.Event) throws {
    switch event {
    case .preparing(let progress):
      if let line = preparation.line(progress) { try Console.report(line) }
    case .longAnswers(let answers): try Console.report("WARNING \(answers.text)")
    case .unreadFile(let file): try Console.report("WARNING \(file.text)")
    case .promptsCut(let task, let count):
      try Console.report(
        "  WARNING in \(count) prompts of \(task), predicted answers of its parents were shortened to fit the model's "
          + "context; lower the parents' maxTokens")
    case .loaded(let model, let precision, let bytes, let workers, let episodes, let seconds):
      unchecked = microBatchTokens.map { ($0, workers) }
      try Console.report(
        line:
          "Model \(model) in \(precision.rawValue), \(Self.megabytes(bytes)) of weights; \(episodes) training "
          + "episodes; ready after \(Self.number(seconds, 1)) s")
      Console.noteEmulation(precision)
    case .joined(let model, let precision, let ranks, let episodes, let seconds):
      try Console.report(
        line:
          "Model \(model) in \(precision.rawValue) over \(ranks) devices; \(episodes) training episodes; ready after "
          + "\(Self.number(seconds, 1)) s")
      Console.noteEmulation(precision)
    case .resumed(let steps):
      let report = RankReport(resumedAfterStep: steps)
      try Console.report(hasLauncher ? report.line : report.text)
    case .training(let training, let laterSteps):
      hasTrained = true
      try show(training, laterSteps)
    case .finished(let adapter):
      if !hasTrained { try Console.report(line: "All steps were already done: nothing was trained") }
      try Console.report(line: "Adapter written to \(adapter.relativePath)")
    }
  }

  private func show(_ event: TrainingEvent, _ laterSteps: Int) throws {
    switch event {
    case .phaseStarted(let phase, let step, let steps, let bytes):
      phaseSteps = steps
      validation = nil
      lossSum = 0
      lossCount = 0
      try Console.report(
        line: "Phase \(phase.index + 1)/\(phases) \(phase.task): \(phase.trainable.count) columns train, "
          + "\(phase.frozen.count) frozen, \(phase.masked.count) masked; "
          + "\(Self.megabytes(bytes)) for the step" + (step > 0 ? "; from step \(step)" : ""))
    case .step(let record):
      try hint(record)
      if let report = record.validation {
        phaseSteps = report.end
        validation = report
      }
      lossSum += record.loss
      lossCount += 1
      recentTokens = (recentTokens + [Double(record.tokens)]).suffix(20)
      recentSeconds = (recentSeconds + [record.seconds]).suffix(20)
      let now = ContinuousClock.now
      let isLast = record.step == phaseSteps
      if isTerminal || isLast || record.validation != nil || now - lastLine > .seconds(10) {
        lastLine = now
        try write(line(record, laterSteps), ends: isLast || !isTerminal)
      }
      if let report = record.validation, let text = Self.text(report.change, record) {
        try Console.report((isTerminal && !isLast ? "\n" : "") + text)
      }
    case .warning(let warning, _):
      if isTerminal { try Console.report("") }
      try Console.report(line: "  WARNING \(warning.text)")
    case .decided(let decisions, let phase):
      for decision in decisions where !decision.freezes.isEmpty {
        let reason = decision.isGuard ? "its validation loss grew" : "their gradients conflict"
        try Console.report(
          line: "  columns \(columnRanges(decision.freezes)) of \(decision.prerequisite) freeze: \(reason); "
            + "\(phase.trainable.count) still train")
      }
    case .phaseFinished, .checkpointDue, .checkpoint: break
    }
  }

  /// Prints a hint, once, if threads have nothing to do.
  private func hint(_ record: StepRecord) throws {
    guard let (tokens, workers) = unchecked else { return }
    unchecked = nil
    guard workers > 1, record.tokens <= tokens else { return }
    try Console.report(
      line:
        "  A step is one micro-batch, which only one of \(workers) threads works on; "
        + "--set training.microBatchTokens=\(max(record.tokens * 5 / (4 * workers), 1)) would split it")
  }

  private func line(_ record: StepRecord, _ laterSteps: Int) -> String {
    let seconds = recentSeconds.reduce(0, +)
    let rate = recentTokens.reduce(0, +) / max(seconds, 1e-9)
    let left = Double(phaseSteps - record.step + laterSteps) * seconds / Double(max(recentSeconds.count, 1))
    return "  step \(record.step)/\(phaseSteps)  loss \(Self.number(record.loss, 3)) "
      + "(mean \(Self.number(lossSum / Double(max(lossCount, 1)), 3)))  "
      + (validation.map { Self.text($0) } ?? "") + "\(Self.number(rate, 0)) tokens/s  \(Self.time(left)) left"
  }

  /// The last validation, as a part of the line.
  private static func text(_ report: ValidationReport) -> String {
    let score = report.score
    return "validation \(score.correct)/\(score.count) (loss \(number(score.loss, 3)))"
      + (report.isBest ? " best" : "") + "  "
  }

  /// The effect of a validation; `nil` if there was none.
  private static func text(_ change: PhasePace.Change, _ record: StepRecord) -> String? {
    let end = record.validation?.end ?? 0
    switch change {
    case .none: return nil
    case .coolsDown: return "  the learning rate falls from here to step \(end)"
    case .restarts: return "  still learning: another cycle at a lower learning rate, up to step \(end)"
    case .ends: return "  no more improvement: the phase ends here"
    }
  }

  private func write(_ line: String, ends: Bool) throws {
    if !isTerminal { return try Console.report(line: line) }
    try Console.rewriteLine(line, ends: ends)
  }

  private static func number(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  private static func megabytes(_ bytes: Int) -> String { "\(bytes / 1_000_000) MB" }

  private static func time(_ seconds: Double) -> String {
    // The steps planned for later phases may be any number.
    let all = Int(min(seconds.rounded(), 1e15))
    return all < 60 ? "\(all) s" : "\(all / 60) min \(all % 60) s"
  }
}
