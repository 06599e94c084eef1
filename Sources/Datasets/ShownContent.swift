/// What a workflow's tasks show of an episode: the inputs that they read, the questions and the options.
package struct ShownContent: Sendable {
  private let tasks: [DatasetTask]

  package init(_ tasks: [DatasetTask]) { self.tasks = tasks }

  /// A number that is the same for episodes that show the same, and in this process almost certainly another for
  /// others.
  package func fingerprint(_ episode: Episode) -> Int {
    var hasher = Hasher()
    for task in tasks {
      hasher.combine(task.name)
      for input in task.inputs { hasher.combine(episode.inputs[input]) }
      hasher.combine(episode.tasks[task.name]?.question)
      hasher.combine(episode.tasks[task.name]?.options)
    }
    return hasher.finalize()
  }
}
