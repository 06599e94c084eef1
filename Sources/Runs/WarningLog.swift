import Checkpoint
import ContextLoRA
import Foundation
import InputErrors
import SafeFiles

/// One line of `warnings.jsonl`.
package struct LoggedWarning: Sendable, Equatable, Codable {
  /// The run's optimiser steps at the time of the warning.
  package var totalStep: Int
  /// A short name of the kind, such as `not learnt`.
  package var kind: String
  /// The task of the phase.
  package var task: String
  /// What happened and which setting to change.
  package var text: String
}

extension RunFolder {
  /// The warnings of the run's training; empty if there is no file.
  ///
  /// - Throws: `Refusal` with the line that cannot be read.
  package func loggedWarnings() throws -> [LoggedWarning] {
    try Self.contents(warnings).split(separator: 10).enumerated().map { index, line in
      guard let warning = try? JSONDecoder().decode(LoggedWarning.self, from: line) else {
        throw Refusal(
          "\(warnings.path):\(index + 1)", "is not a training warning", "remove the line, or the file")
      }
      return warning
    }
  }

  /// Drops the warnings of steps that will be repeated.
  func keepWarnings(upTo steps: Int) throws {
    let all = try loggedWarnings()
    let kept = all.filter { $0.totalStep <= steps }
    if kept.count < all.count { try write(kept) }
  }

  func log(_ warning: TrainingWarning, totalStep: Int) throws {
    let line = LoggedWarning(
      totalStep: totalStep, kind: warning.name, task: warning.task, text: warning.text)
    try write(try loggedWarnings() + [line])
  }

  private func write(_ lines: [LoggedWarning]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      try lines.reduce(into: Data()) { $0 += try encoder.encode($1) + Data([10]) }, to: warnings)
  }
}
