import Datasets
import InputErrors
import Workflows

extension Workflow {
  /// Makes an episode to be answered, without gold answers.
  ///
  /// - Parameters:
  ///   - id: a name for messages.
  ///   - inputs: the inputs by name.
  ///   - questions: questions of single tasks, which replace the workflow file's.
  /// - Throws: `Refusal` for a missing input or question, or invalid options.
  func episode(
    id: String, inputs: [String: String], questions: [String: EpisodeSchema.Question]
  ) throws(Refusal) -> Episode {
    let place = "episode '\(id)'"
    var items: [String: TaskItem] = [:]
    for task in tasks {
      for input in task.inputs where inputs[input] == nil {
        throw Refusal(place, "lacks the input '\(input)' that the task '\(task.name)' reads", "add it")
      }
      let own = questions[task.name]
      guard let text = own?.text ?? task.question else {
        throw Refusal(
          place, "has no question for the task '\(task.name)'",
          "give a question, or set tasks.\(task.name).question in the workflow file and train again")
      }
      let options = own?.options ?? task.options ?? []
      guard options.isEmpty || (2...TaskItem.maximumOptions).contains(options.count),
        Set(options).count == options.count
      else {
        throw Refusal(
          place, "has \(options.count) options for the task '\(task.name)', or duplicate ones",
          "give 2 to \(TaskItem.maximumOptions) different ones, or none for free text")
      }
      items[task.name] = TaskItem(question: text, options: options)
    }
    if let unknown = questions.keys.sorted().first(where: { task($0) == nil }) {
      throw Refusal(
        place, "has a question for '\(unknown)', which is not a task",
        "name one of: \(tasks.map(\.name).joined(separator: ", "))")
    }
    return Episode(id: id, inputs: inputs, tasks: items)
  }
}
