import Datasets
import Workflows

extension Workflow {
  /// What every episode of the workflow must contain.
  package var episodeSchema: EpisodeSchema {
    EpisodeSchema(
      tasks: tasks.map(\.name), inputs: Dictionary(uniqueKeysWithValues: tasks.map { ($0.name, $0.inputs) }),
      questions: Dictionary(
        uniqueKeysWithValues: tasks.compactMap { task in
          guard task.question != nil || task.options != nil else { return nil }
          return (task.name, EpisodeSchema.Question(text: task.question, options: task.options))
        }))
  }
}
