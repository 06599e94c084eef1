import Foundation

/// What guessers without understanding reach on one task: each figure is an accuracy from 0 to 1, `nil` where
/// the guesser does not apply (those that look at options, on free-text items).
package struct TaskBaselines: Sendable, Equatable, Codable {
  /// The task.
  package let task: String
  /// The number of test items.
  package let items: Int
  /// Guessing blindly among the options.
  package let chance: Double?
  /// The answer that is most frequent in training, among those offered.
  package let majority: Double
  /// The place among the options that is most often right in training.
  package let position: Double?
  /// The option with the most characters.
  package let longest: Double?
  /// The option with the fewest characters.
  package let shortest: Double?
  /// The option that shares the largest part of its words with the task's own inputs.
  package let overlap: Double?
  /// Naive Bayes over words and pairs of adjacent words of the task's own inputs.
  package let bayesAlone: Double
  /// The same with the parents' recorded answers, and each word paired with them; `nil` without parents.
  package let bayesWithParents: Double?
  /// What no guesser without the parents' answers can expect to exceed; `nil` if the world behind is unknown.
  package let oracleWithoutParents: Double?

  /// The best of the measured guessers that do not know the parents' answers.
  package var bestShortcut: Double {
    [chance, majority, position, longest, shortest, overlap, bayesAlone].compactMap(\.self).max() ?? 0
  }
}

/// The baselines of every task, to be set beside a model's accuracy.
package struct BaselineReport: Sendable, Equatable, Codable {
  /// One row a task, in the order asked for.
  package let tasks: [TaskBaselines]

  /// A table for a terminal: one row a task, accuracies in percent.
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
    let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
    return ([header] + rows).map { cells in
      zip(cells, widths).enumerated().map { column, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + space : space + cell.0
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  private static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
