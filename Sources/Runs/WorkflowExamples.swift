import Datasets
import Evaluation
import LanguageModels
import Prompting
import SeededRandom
import Workflows

/// The episodes that a workflow trains on, rendered with recorded parents' answers, and which of them read
/// the model's own.
final class WorkflowExamples {
  let workflow: Workflow
  let episodes: [Episode]
  let prompts: PromptRenderer
  private var rendered: [String: [PromptExample]] = [:]

  init(workflow: Workflow, episodes: [Episode], prompts: PromptRenderer) {
    (self.workflow, self.episodes, self.prompts) = (workflow, episodes, prompts)
  }

  /// Renders every sample of every task, so that what cannot be rendered shows before training starts.
  func check() throws {
    for task in workflow.tasks { _ = try examples(task.name) }
  }

  /// Every sample of a task with recorded answers.
  func examples(_ task: String) throws -> [PromptExample] {
    if let known = rendered[task] { return known }
    let parents = workflow.graph.parents(of: task)
    let examples = try episodes.map {
      try prompts.example(task: task, episode: $0, parentAnswers: $0.goldAnswers(of: parents))
    }
    rendered[task] = examples
    return examples
  }

  /// A sample of a task: with given answers of its parents, or with the recorded ones.
  func sequence(_ task: String, sample: Int, parentAnswers: [String: String]?) throws -> TokenSequence {
    let example =
      try parentAnswers.map {
        try prompts.example(task: task, episode: episodes[sample], parentAnswers: $0)
      } ?? (try examples(task))[sample]
    return TokenSequence(prompt: example.prompt, completion: example.completion)
  }

  func longestSequence(_ task: String) throws -> Int {
    try examples(task).map { $0.prompt.count + $0.completion.count - 1 }.max() ?? 0
  }

  /// By how many tokens the model's own answers of the parents may make a prompt longer: a text has no more
  /// tokens than bytes, and a neighbour may be cut otherwise.
  func slack(_ task: String) throws -> Int {
    workflow.graph.parents(of: task).reduce(0) { sum, parent in
      let items = episodes.compactMap { $0.tasks[parent] }
      let longest = items.flatMap { $0.options.map(\.utf8.count) }.max() ?? 0
      let generated = items.contains { $0.options.isEmpty } ? AnswerPredictor.defaultAnswerTokens : 0
      return sum + max(longest, generated) + 4
    }
  }

  var usesPredictions: Bool { workflow.training.parentAnswers != .gold }

  /// Whether a sample reads the model's own answers; for a mixture drawn anew in each epoch.
  func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool {
    switch workflow.training.parentAnswers {
    case .gold: return false
    case .predicted: return true
    case .mixed(let share):
      var generator = SeededGenerator(
        seed: UInt64(workflow.training.seed),
        stream: (UInt64(phase) << 48 | UInt64(epoch) << 32 | UInt64(sample)) &+ 1)
      return generator.unit() < share
    }
  }
}
