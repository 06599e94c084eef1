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
  /// - Throws: an error with the line that is damaged, or the reason why the file cannot be read.
  package func loggedWarnings() throws -> [LoggedWarning] {
    try JSONLines(warnings).read(LoggedWarning.self)
  }
}
