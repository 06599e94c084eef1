import ContextLoRA
import Datasets
import Evaluation
import LanguageModels
import Prompting
import SeededRandom
import Workflows

/// A workflow's episodes as training sequences: with gold parents' answers, the model's own, or drawn
/// between the two.
final class WorkflowTrainingData: TrainingData {
  private let workflow: Workflow
  private let episodes: [Episode]
  /// Episodes that no phase trains on.
  private let validation: [Episode]
  private let prompts: PromptRenderer
  private let stage: LlamaStage
  private let predictor: AnswerPredictor
  private var goldExamples: [String: [PromptExample]] = [:]
  /// Predicted answers while the parents stay as they are: by task and sample.
  private var predictions: [String: [Int: String]] = [:]
  private var predictedPhase = -1

  init(
    workflow: Workflow, episodes: [Episode], validation: [Episode], prompts: PromptRenderer, stage: LlamaStage
  ) {
    self.workflow = workflow
    self.episodes = episodes
    self.validation = validation
    self.prompts = prompts
    self.stage = stage
    predictor = AnswerPredictor(stage, prompts: prompts)
  }

  var sampleCount: Int { episodes.count }

  var usesPredictions: Bool { workflow.training.parentAnswers != .gold }

  /// Renders every sample of every task, so that what cannot be rendered shows before training starts.
  func check() throws {
    for task in workflow.tasks { _ = try examples(task.name) }
  }

  /// Held-back samples that one decision looks at.
  private static let heldBackCount = 16

  func heldBack(task: String) throws -> [TokenSequence] {
    let parents = workflow.graph.parents(of: task)
    return try validation.prefix(Self.heldBackCount).map {
      let example = try prompts.example(task: task, episode: $0, parentAnswers: $0.goldAnswers(of: parents))
      return TokenSequence(prompt: example.prompt, completion: example.completion)
    }
  }

  private func examples(_ task: String) throws -> [PromptExample] {
    if let known = goldExamples[task] { return known }
    let parents = workflow.graph.parents(of: task)
    let examples = try episodes.map {
      try prompts.example(task: task, episode: $0, parentAnswers: $0.goldAnswers(of: parents))
    }
    goldExamples[task] = examples
    return examples
  }

  func longestSequence(task: String) throws -> Int {
    try examples(task).map { $0.prompt.count + $0.completion.count - 1 }.max() ?? 0
  }

  func sequences(
    task: String, samples: [Int], phase: Int, epoch: Int, parentsChange: Bool, adapter: () -> LoRAAdapter
  ) throws -> [TokenSequence] {
    let parents = workflow.graph.parents(of: task)
    let own = parents.isEmpty ? [] : samples.filter { predicts($0, phase: phase, epoch: epoch) }
    var texts: [Int: [String: String]] = [:]
    if !own.isEmpty {
      texts = try predictedAnswers(
        parents, samples: own, phase: phase, parentsChange: parentsChange, adapter: adapter)
    }
    let gold = try examples(task)
    return try samples.map { sample in
      let example =
        try texts[sample].map {
          try prompts.example(task: task, episode: episodes[sample], parentAnswers: $0)
        } ?? gold[sample]
      return TokenSequence(prompt: example.prompt, completion: example.completion)
    }
  }

  /// Whether a sample reads the model's own answers; for a mixture drawn anew in each epoch.
  private func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool {
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

  /// Runs the ancestors of a task, parents before children, each with its own columns.
  private func predictedAnswers(
    _ parents: [String], samples: [Int], phase: Int, parentsChange: Bool, adapter: () -> LoRAAdapter
  ) throws -> [Int: [String: String]] {
    if parentsChange || predictedPhase != phase {
      predictions = [:]
      predictedPhase = phase
    }
    let needed = Set(parents).union(parents.flatMap { workflow.graph.ancestors(of: $0) })
    var current: LoRAAdapter?
    for name in workflow.graph.topologicalOrder where needed.contains(name) {
      let missing = samples.filter { predictions[name]?[$0] == nil }
      if missing.isEmpty { continue }
      let seen = current ?? adapter()
      current = seen
      let view = AdapterView(
        seen, columns: .inference(workflow.phaseSchedule.viewColumns(of: name)),
        configuration: stage.configuration, device: stage.device)
      let own = workflow.graph.parents(of: name)
      let answers = try predictor.answers(
        task: name, episodes: missing.map { episodes[$0] },
        parentAnswers: missing.map { known(own, $0) }, view: view, repliesOnly: true)
      for (sample, answer) in zip(missing, answers) {
        predictions[name, default: [:]][sample] = answer.text
      }
    }
    return Dictionary(uniqueKeysWithValues: samples.map { ($0, known(parents, $0)) })
  }

  /// The answers predicted so far.
  private func known(_ tasks: [String], _ sample: Int) -> [String: String] {
    Dictionary(uniqueKeysWithValues: tasks.map { ($0, predictions[$0]?[sample] ?? "") })
  }
}
