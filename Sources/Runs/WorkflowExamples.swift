import ContextLoRA
import Datasets
import Evaluation
import LanguageModels
import PipelinedTraining
import Prompting
import SeededRandom
import Workflows

/// The training and validation episodes of a workflow, rendered.
final class WorkflowExamples: ChoiceSamples {
  let workflow: Workflow
  let episodes: [Episode]
  let prompts: PromptRenderer
  /// Episodes that no phase trains on.
  private let validationEpisodes: [Episode]
  private var rendered: [String: [PromptExample]] = [:]
  /// By task, so that later phases need not render every question again.
  private var longestQuestions: [String: Int] = [:]
  private(set) lazy var questions = WorkflowValidation(self, episodes: validationEpisodes)

  init(workflow: Workflow, episodes: [Episode], validation: [Episode], prompts: PromptRenderer) {
    (self.workflow, self.episodes, self.prompts) = (workflow, episodes, prompts)
    validationEpisodes = validation
  }

  /// Renders every sample of every task, to find errors before training starts.
  ///
  /// - Parameter resumes: whether training has begun; it may then be ended even if a predicted answer could become
  ///   too long.
  func check(resumes: Bool) throws {
    for task in workflow.tasks {
      _ = try examples(task.name)
      if usesPredictions, !resumes { try checkPredicted(task.name) }
    }
    if workflow.training.validateEvery != nil { try questions.check() }
  }

  /// Renders every sample with its parents' longest answers, which may be predicted hours later.
  private func checkPredicted(_ task: String) throws {
    let parents = workflow.graph.parents(of: task)
    func length(_ text: String) -> Int { prompts.tokenizer.encode(text).count }
    for episode in episodes where !parents.isEmpty {
      var answers = episode.goldAnswers(of: parents)
      var generated = 0
      for parent in parents {
        guard let item = episode.tasks[parent] else { continue }
        if item.options.isEmpty { generated += AnswerPredictor.defaultAnswerTokens }
        answers[parent] = item.options.max { length($0) < length($1) } ?? ""
      }
      let example = try prompts.example(task: task, episode: episode, parentAnswers: answers)
      let length = example.prompt.count + example.completion.count + generated
      guard length <= prompts.contextLength else {
        throw PromptError.tooLong(
          task: task, episode: episode.id, length: length, limit: prompts.contextLength, at: episode.origin)
      }
    }
  }

  var sampleCount: Int { episodes.count }
  var validation: (any ValidationEpisodes)? { questions }

  func passes(of task: String) -> [String] {
    usesPredictions ? workflow.forwardOnlyPasses(of: task) : []
  }

  /// Every sample of a task with gold answers.
  func examples(_ task: String) throws -> [PromptExample] {
    if let known = rendered[task] { return known }
    let parents = workflow.graph.parents(of: task)
    let examples = try episodes.map {
      try prompts.example(task: task, episode: $0, parentAnswers: $0.goldAnswers(of: parents))
    }
    rendered[task] = examples
    return examples
  }

  func sequence(_ task: String, sample: Int, parentAnswers: [String: String]?) throws -> TokenSequence {
    let example =
      try parentAnswers.map {
        try prompts.example(task: task, episode: episodes[sample], parentAnswers: $0)
      } ?? (try examples(task))[sample]
    return TokenSequence(prompt: example.prompt, completion: example.completion)
  }

  func longestSequence(_ task: String) throws -> Int {
    let longest = try examples(task).map { $0.prompt.count + $0.completion.count - 1 }.max() ?? 0
    return longest + (usesPredictions ? try slack(task) : 0)
  }

  /// The number of validation samples per freezing decision.
  private static let freezingEvidence = 16

  func validationSequences(_ task: String) throws -> [TokenSequence] {
    let parents = workflow.graph.parents(of: task)
    return try validationEpisodes.prefix(Self.freezingEvidence).map {
      let example = try prompts.example(task: task, episode: $0, parentAnswers: $0.goldAnswers(of: parents))
      return TokenSequence(prompt: example.prompt, completion: example.completion)
    }
  }

  // MARK: Questions with options

  private func item(_ task: String, _ sample: Int) -> TaskItem {
    guard let item = episodes[sample].tasks[task] else {
      preconditionFailure("an episode without task '\(task)' was let in")
    }
    return item
  }

  func question(_ task: String, sample: Int, parentAnswers: [String: String]) throws -> ScoreRequest {
    try prompts.replyQuestion(
      task: task, episode: episodes[sample], item: item(task, sample), parentAnswers: parentAnswers)
  }

  func choice(_: String, sample _: Int, scores: [[Float]]) -> Int { prompts.replyChoice(scores) }

  func optionCount(_ task: String, sample: Int) -> Int { item(task, sample).options.count }

  func text(_ task: String, sample: Int, option: Int) -> String { item(task, sample).options[option] }

  func longestQuestion(_ task: String) throws -> Int {
    if let known = longestQuestions[task] { return known }
    let parents = workflow.graph.parents(of: task)
    let longest = try episodes.indices.map { sample in
      try question(task, sample: sample, parentAnswers: episodes[sample].goldAnswers(of: parents)).rowCount
    }.max()
    let bound = (longest ?? 0) + (try slack(task))
    longestQuestions[task] = bound
    return bound
  }

  /// The largest number of tokens by which the parents' predicted answers can lengthen a prompt: a text has
  /// no more tokens than bytes, and the tokens next to it may be split differently.
  func slack(_ task: String) throws -> Int {
    workflow.graph.parents(of: task).reduce(0) { sum, parent in
      let items = episodes.compactMap { $0.tasks[parent] }
      let longest = items.flatMap { $0.options.map(\.utf8.count) }.max() ?? 0
      let generated = items.contains { $0.options.isEmpty } ? AnswerPredictor.defaultAnswerTokens : 0
      return sum + max(longest, generated) + 4
    }
  }

  var usesPredictions: Bool { workflow.training.parentAnswers != .gold }

  /// Whether a sample uses predicted answers. For a mixture, this is drawn again in each epoch.
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

/// Answers training samples with the model in training.
final class ExampleAnswerer: TaskAnswerer {
  private let examples: WorkflowExamples
  private let predictor: AnswerPredictor
  private let model: LlamaModel

  init(_ examples: WorkflowExamples, _ model: LlamaModel) {
    (self.examples, self.model) = (examples, model)
    predictor = AnswerPredictor(model, prompts: examples.prompts)
  }

  func answers(
    _ task: String, samples: [Int], parentAnswers: [[String: String]], adapter: LoRAAdapter, columns: [Int]
  ) throws -> [String] {
    try predictor.answers(
      task: task, episodes: samples.map { examples.episodes[$0] }, parentAnswers: parentAnswers,
      view: model.view(of: adapter, .inference(columns)), repliesOnly: true
    ).map(\.text)
  }
}

extension Workflow {
  /// The tasks that answer, parents before children, before `task` can be asked with predicted answers.
  package func forwardOnlyPasses(of task: String) -> [String] {
    let ancestors = Set(graph.ancestors(of: task))
    return graph.topologicalOrder.filter(ancestors.contains)
  }
}
