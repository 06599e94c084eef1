import ContextLoRA
import Datasets
import Evaluation
import InputErrors
import LanguageModels
import PipelinedTraining
import Prompting
import SeededRandom
import Workflows

/// The training and validation episodes of a workflow, rendered whenever they are needed. Only the lengths are kept,
/// because the tokens of a large data set take more memory than its texts.
package final class WorkflowExamples: ChoiceSamples {
  package let workflow: Workflow
  package let episodes: EpisodeTable
  package let prompts: PromptRenderer
  /// Episodes that no phase trains on.
  private let validationEpisodes: EpisodeTable
  /// By task, the rows of each sample's sequence.
  private var rows: [String: [Int32]] = [:]
  /// By task, so that later phases need not render every question again.
  private var longestQuestions: [String: Int] = [:]
  private var slacks: [String: Int] = [:]
  /// By task, the number of training prompts in which the parents' answers were shortened.
  private var cutPrompts: [String: Int] = [:]
  package private(set) lazy var questions = WorkflowValidation(self, episodes: validationEpisodes)

  package init(workflow: Workflow, episodes: EpisodeTable, validation: EpisodeTable, prompts: PromptRenderer)
  {
    (self.workflow, self.episodes, self.prompts) = (workflow, episodes, prompts)
    validationEpisodes = validation
  }

  /// Renders every sample of every task, to find errors before training starts.
  ///
  /// - Parameters:
  ///   - file: the training episodes' file, for messages.
  ///   - resumes: whether training has begun; predicted options are then not checked again.
  ///   - onProgress: called now and then with the number of rendered episodes and of all.
  /// - Returns: the tasks with gold answers that are longer than generated ones may be.
  package func check(
    file: String, resumes: Bool, onProgress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> [LongAnswers] {
    let result = try PromptCheck(prompts).check(
      episodes, in: file, replies: .gold, onProgress: onProgress)
    for (task, lengths) in result.lengths { rows[task] = lengths.map(\.sequence) }
    if usesPredictions, !resumes {
      for task in workflow.tasks { try checkPredicted(task.name) }
    }
    if workflow.training.validateEvery != nil { try questions.check() }
    return result.longAnswers
  }

  /// Renders every sample with the longest answers that its parents may choose, which may be predicted hours later.
  /// Generated answers are shortened to what there is room for, so they count nothing.
  private func checkPredicted(_ task: String) throws {
    let parents = workflow.graph.parents(of: task)
    func length(_ text: String) -> Int { prompts.tokenizer.encode(text).count }
    guard !parents.isEmpty else { return }
    for episode in episodes {
      var answers = episode.goldAnswers(of: parents)
      for parent in parents {
        guard let item = episode.tasks[parent] else { continue }
        answers[parent] = item.options.max { length($0) < length($1) } ?? ""
      }
      do {
        _ = try prompts.example(task: task, episode: episode, parentAnswers: answers)
      } catch PromptError.tooLong(_, _, let length, let limit, _) {
        let place = episode.origin.map { "\($0): " } ?? ""
        let chosen = parents.filter { answers[$0]?.isEmpty == false }
        throw Refusal(
          place + "episode '\(episode.id)', task '\(task)'",
          "\(length) tokens exceed the context of \(limit) if the predicted answers of "
            + "\(chosen.joined(separator: ", ")) are their longest options",
          "shorten its inputs or these options, or use a model with a longer context")
      }
    }
  }

  package var sampleCount: Int { episodes.count }
  package var validation: (any ValidationEpisodes)? { questions }

  package func passes(of task: String) -> [String] {
    usesPredictions ? workflow.forwardOnlyPasses(of: task) : []
  }

  /// The rows of each sample's sequence with gold answers: the prompt and the reply without its last token.
  func rowCounts(_ task: String) throws -> [Int32] {
    if let known = rows[task] { return known }
    let result = try PromptCheck(prompts).check(
      episodes, in: "the training episodes", replies: .gold, tasks: [task])
    let counts = (result.lengths[task] ?? []).map(\.sequence)
    rows[task] = counts
    return counts
  }

  package func sequence(_ task: String, sample: Int, parentAnswers: [String: String]?) throws -> TokenSequence
  {
    let episode = episodes[sample]
    guard let parentAnswers else {
      let example = try prompts.example(
        task: task, episode: episode, parentAnswers: episode.goldAnswers(of: workflow.graph.parents(of: task))
      )
      return TokenSequence(prompt: example.prompt, completion: example.completion)
    }
    let completion = prompts.completion(prompts.reply(item(task, episode)))
    try prompts.check(completion, task: task, episode: episode)
    // The buffers have room for the longest sequence, and the last token of the reply is only predicted.
    let prompt = try fitted(
      task, episode, parentAnswers, needed: completion.count,
      most: try longestSequence(task) + 1 - completion.count)
    return TokenSequence(prompt: prompt, completion: completion)
  }

  /// A prompt with predicted answers, which are shortened if they ran away.
  private func fitted(
    _ task: String, _ episode: Episode, _ answers: [String: String], needed: Int, most: Int = .max
  ) throws -> [Int32] {
    let prompt = try prompts.fittedPrompt(
      task: task, episode: episode, parentAnswers: answers, needed: needed, wanted: needed,
      maximumPromptTokens: most)
    if prompt.isCut { cutPrompts[task, default: 0] += 1 }
    return prompt.tokens
  }

  /// The number of training prompts of a task in which the parents' answers were shortened since the last call;
  /// `nil` if there are none.
  func takeCutPrompts(_ task: String) -> Int? { cutPrompts.removeValue(forKey: task) }

  package func longestSequence(_ task: String) throws -> Int {
    let longest = try Int(rowCounts(task).max() ?? 0)
    return usesPredictions ? min(longest + slack(task), prompts.contextLength) : longest
  }

  /// The number of validation samples per freezing decision.
  private static let freezingEvidence = 16

  package func validationSequences(_ task: String) throws -> [TokenSequence] {
    let parents = workflow.graph.parents(of: task)
    return try validationEpisodes.prefix(Self.freezingEvidence).map {
      let example = try prompts.example(task: task, episode: $0, parentAnswers: $0.goldAnswers(of: parents))
      return TokenSequence(prompt: example.prompt, completion: example.completion)
    }
  }

  // MARK: Questions with options

  private func item(_ task: String, _ episode: Episode) -> TaskItem {
    guard let item = episode.tasks[task] else {
      preconditionFailure("an episode without task '\(task)' was let in")
    }
    return item
  }

  package func question(_ task: String, sample: Int, parentAnswers: [String: String]) throws -> ScoreRequest {
    try question(task, episodes[sample], parentAnswers)
  }

  private func question(
    _ task: String, _ episode: Episode, _ parentAnswers: [String: String]
  ) throws -> ScoreRequest {
    let continuations = try prompts.continuations(item(task, episode), repliesOnly: true)
    let needed = continuations.map(\.count).max() ?? 1
    let request = ScoreRequest(
      prompt: try fitted(task, episode, parentAnswers, needed: needed), continuations: continuations)
    try prompts.check(request, task: task, episode: episode)
    return request
  }

  package func choice(_: String, sample _: Int, scores: [[Float]]) -> Int { prompts.replyChoice(scores) }

  package func optionCount(_ task: String, sample: Int) -> Int { item(task, episodes[sample]).options.count }

  package func text(_ task: String, sample: Int, option: Int) -> String {
    item(task, episodes[sample]).options[option]
  }

  package func longestQuestion(_ task: String) throws -> Int {
    if let known = longestQuestions[task] { return known }
    let parents = workflow.graph.parents(of: task)
    let longest = try episodes.lazy.map { episode in
      try self.question(task, episode, episode.goldAnswers(of: parents)).rowCount
    }.reduce(0) { max($0, $1) }
    let bound = min(longest + slack(task), prompts.contextLength)
    longestQuestions[task] = bound
    return bound
  }

  /// The largest number of tokens by which the parents' predicted answers can lengthen a prompt: a text has
  /// no more tokens than bytes, and the tokens next to it may be split differently.
  func slack(_ task: String) -> Int {
    if let known = slacks[task] { return known }
    let parents = workflow.graph.parents(of: task)
    var longest = [Int](repeating: 0, count: parents.count)
    for episode in parents.isEmpty ? EpisodeTable() : episodes {
      for (place, parent) in parents.enumerated() {
        guard let item = episode.tasks[parent] else { continue }
        let generated = item.options.isEmpty ? workflow.task(parent)?.answerTokens ?? 0 : 0
        longest[place] = max(longest[place], generated, item.options.map(\.utf8.count).max() ?? 0)
      }
    }
    let slack = longest.reduce(0) { $0 + $1 + 4 }
    slacks[task] = slack
    return slack
  }

  package var usesPredictions: Bool { workflow.training.parentAnswers != .gold }

  /// Whether a sample uses predicted answers. For a mixture, this is drawn again in each epoch.
  package func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool {
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
