import Datasets
import Testing

/// Finds facts in texts by keywords, for second implementations of the worlds.
enum Texts {
  static func text(_ episode: Episode, _ input: String) throws -> String {
    try #require(episode.inputs[input]).lowercased()
  }

  static func gold(_ episode: Episode, _ task: String) throws -> String {
    try #require(episode.tasks[task]).answerText
  }

  /// The one meaning any of whose keywords is in `text`.
  static func meaning(of text: String, _ keywords: KeyValuePairs<String, [String]>) throws -> String {
    let found = keywords.filter { $0.value.contains { text.contains($0) } }.map(\.key)
    try #require(found.count == 1, "\(found) in '\(text)'")
    return found[0]
  }

  /// The parts of `text` between the separators, without those around them.
  static func clauses(_ text: String, _ separators: String = ",;.") -> [String] {
    text.split { separators.contains($0) }.map { String($0.trimmingPrefix(" ")) }.filter { !$0.isEmpty }
  }
}
