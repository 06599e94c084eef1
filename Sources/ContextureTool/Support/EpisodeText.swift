import Datasets
import Foundation

/// Episodes as text for people.
enum EpisodeText {
  /// Each task with its own inputs, its parents' gold answers, its question, options and gold answer, in the order of
  /// `tasks`.
  ///
  /// - Parameters:
  ///   - inputs: inputs to show before the tasks.
  ///   - limit: the maximum number of characters of a text; `nil`: texts are shown in full, with their line breaks.
  static func describe(
    _ episode: Episode, tasks: [DatasetTask], inputs: [String] = [], limit: Int? = 200
  ) -> String {
    func shown(_ text: String, indent: String) -> String {
      let lines = text.split(omittingEmptySubsequences: limit != nil, whereSeparator: \.isNewline)
      guard let limit else { return lines.joined(separator: "\n" + indent) }
      let line = lines.joined(separator: " / ")
      return line.count > limit ? line.prefix(limit - 1) + "…" : line
    }
    func line(_ input: String) -> String {
      "\(input): \(shown(episode.inputs[input] ?? "-", indent: "      "))"
    }
    var lines = ["Episode \(episode.id)"] + inputs.map { "  " + line($0) }
    for task in tasks {
      let parents = task.parents.map { parent in
        "\(parent): \(shown(episode.tasks[parent]?.answerText ?? "-", indent: "    "))"
      }
      lines.append("  \(task.name)" + (parents.isEmpty ? "" : " (after \(parents.joined(separator: ", ")))"))
      lines += task.inputs.map { "    " + line($0) }
      guard let item = episode.tasks[task.name] else { continue }
      lines.append("    \(shown(item.question, indent: "    "))")
      lines += answers(of: item) { shown($0, indent: "        ") }.map { "      " + $0 }
    }
    return lines.joined(separator: "\n")
  }

  /// The options with the gold answer marked, in one line if they are short.
  private static func answers(of item: TaskItem, _ shown: (String) -> String) -> [String] {
    if item.options.isEmpty { return ["* \(shown(item.answerText))"] }
    let options = item.options.enumerated().map { index, option in
      (index == item.answerIndex ? "* " : "  ") + shown(option)
    }
    let line = options.joined(separator: "  ")
    return line.count <= 72 && !line.contains("\n") ? [line] : options
  }

  /// A share as a percentage with one decimal.
  static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10) %"
  }
}
