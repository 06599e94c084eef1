import ContextLoRA
import Foundation
import Runs
import TextTables

/// The output of `train --dry-run`.
struct DryRunReport {
  private let estimate: TrainingEstimate

  init(_ estimate: TrainingEstimate) { self.estimate = estimate }

  /// Text for people.
  var text: String {
    var table = [
      ["phase", "task", "train", "frozen", "masked", "steps", "tokens", "step memory", "step time", "time"]
    ]
    let names = estimate.phases.map { $0.round > 1 ? "\($0.task), round \($0.round)" : $0.task }
    for (phase, name) in zip(estimate.phases, names) {
      table.append([
        "\(phase.phase + 1)", name, "\(phase.trainable)", "\(phase.frozen)", "\(phase.masked)",
        NumberText.grouped(phase.steps), NumberText.grouped(phase.tokens), Self.bytes(phase.stepBytes),
        Self.time(phase.stepSeconds), Self.time(phase.seconds),
      ])
    }
    let step = estimate.phases.map(\.stepBytes).max() ?? 0
    return """
      Model \(estimate.model) in \(estimate.precision), \(estimate.workers) \
      \(estimate.workers == 1 ? "thread" : "threads"); \(estimate.episodes) training episodes

      \(TextTable.aligned(table, right: [0, 2, 3, 4, 5, 6, 7, 8, 9]))

      Memory  \(Self.bytes(estimate.peakBytes)) at the peak: weights \(Self.bytes(estimate.weightBytes)), \
      the largest phase's step \(Self.bytes(step)), the rest for the program, data and checkpoints
      Time    \(Self.time(estimate.loadSeconds + estimate.trainingSeconds)): \(Self.time(estimate.loadSeconds)) to \
      load, \(Self.time(estimate.trainingSeconds)) to train \(NumberText.grouped(estimate.steps)) steps on \
      \(NumberText.grouped(estimate.tokens)) tokens

      Measured over at most \(estimate.measuredSteps + 2) optimiser steps of each phase; nothing was written.
      """ + Self.more(estimate)
        + (estimate.unreadFiles.map(\.text) + estimate.longAnswers.map(\.text))
        .map { "\n\nNote: \($0)." }.joined()
  }

  /// The additional cost if validation extends phases.
  private static func more(_ estimate: TrainingEstimate) -> String {
    let most = estimate.phases.reduce(0) { $0 + $1.stepLimit }
    guard most > estimate.steps else { return "" }
    return
      "\nThese are the planned steps: phases that have converged end earlier, and phases that are still "
      + "learning get more, up to \(NumberText.grouped(most)) in total."
  }

  /// In MB or GB, with a factor of 1000.
  static func bytes(_ count: Int) -> String {
    count < 1_000_000_000
      ? String(format: "%.\(count < 10_000_000 ? 1 : 0)f MB", Double(count) / 1e6)
      : String(format: "%.2f GB", Double(count) / 1e9)
  }

  /// In the largest unit that leaves a number of at most three digits.
  static func time(_ seconds: Double) -> String {
    if seconds < 0.9995 { return String(format: "%.0f ms", seconds * 1000) }
    if seconds < 59.95 { return String(format: "%.1f s", seconds) }
    let seconds = min(seconds, 1e15)
    let all = Int(seconds.rounded())
    if all < 3600 { return "\(all / 60) min \(all % 60) s" }
    let minutes = Int((seconds / 60).rounded())
    return "\(minutes / 60) h \(minutes % 60) min"
  }
}
