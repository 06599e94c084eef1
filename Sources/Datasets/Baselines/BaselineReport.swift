import Foundation
import TextTables

/// The accuracies of the baselines on one task, from 0 to 1. Baselines that compare options are `nil` for
/// free-text items.
package struct TaskBaselines: Sendable, Equatable, Codable {
  package let task: String
  /// The number of test items.
  package let items: Int
  /// Guesses uniformly among the options.
  package let chance: Double?
  /// The answer that is most frequent in training, among those offered.
  package let majority: Double
  /// The option index that is most often right in training.
  package let position: Double?
  /// The option with the most characters.
  package let longest: Double?
  /// The option with the fewest characters.
  package let shortest: Double?
  /// The option with the largest fraction of its words in the task's own inputs.
  package let overlap: Double?
  /// Naive Bayes on words and pairs of adjacent words of the task's own inputs.
  package let bayesAlone: Double
  /// The same, plus the parents' gold answers and every pair of a word and a parent's answer; `nil` if the
  /// task has no parents.
  package let bayesWithParents: Double?
  /// The expected accuracy of the best possible guesser without the parents' answers; `nil` if the data's
  /// distribution is unknown.
  package let oracleWithoutParents: Double?

  /// The best of the measured baselines that do not use the parents' answers.
  package var bestShortcut: Double {
    [chance, majority, position, longest, shortest, overlap, bayesAlone].compactMap(\.self).max() ?? 0
  }
}

/// The baselines of every task, to compare with a model's accuracy.
package struct BaselineReport: Sendable, Equatable, Codable {
  /// One row per task, in the requested order.
  package let tasks: [TaskBaselines]

  /// A table for a terminal: one row per task, accuracies in percent.
  package var text: String {
    let header = [
      "task", "items", "chance", "majority", "position", "longest", "shortest", "overlap", "bayes alone",
      "bayes+parents", "oracle alone",
    ]
    let rows = tasks.map { row in
      [row.task, "\(row.items)"]
        + [
          row.chance, row.majority, row.position, row.longest, row.shortest, row.overlap, row.bayesAlone,
          row.bayesWithParents, row.oracleWithoutParents,
        ].map { $0.map(Self.percent) ?? "–" }
    }
    return TextTable.aligned([header] + rows, right: Set(1..<header.count))
  }

  private static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
