import Datasets

/// Episodes as text for people.
enum EpisodeText {
  /// The inputs, then each task's question, options and gold answer, in the order of `tasks`.
  static func describe(_ episode: Episode, tasks: [DatasetTask]) -> String {
    var lines = ["Episode \(episode.id)"]
    for task in tasks {
      for input in task.inputs {
        lines.append("  \(input): \(clipped(episode.inputs[input] ?? "-"))")
      }
    }
    for task in tasks {
      if let item = episode.tasks[task.name] { lines += describe(item, of: task) }
    }
    return lines.joined(separator: "\n")
  }

  private static func describe(_ item: TaskItem, of task: DatasetTask) -> [String] {
    let parents = task.parents.isEmpty ? "" : " (after \(task.parents.joined(separator: ", ")))"
    let heading = "  \(task.name)\(parents): \(clipped(item.question))"
    if item.options.isEmpty { return [heading, "    * \(clipped(item.answerText))"] }
    let options = item.options.enumerated().map { index, option in
      "    \(index == item.answerIndex ? "*" : " ") \(clipped(option))"
    }
    return [heading] + options
  }

  /// A share as a percentage with one decimal.
  static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10) %"
  }

  private static func clipped(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " / ")
    return line.count > 200 ? line.prefix(199) + "…" : line
  }
}
