import ContextLoRA
import Datasets
import Evaluation
import LanguageModels
import Prompting
import Workflows

/// A workflow's episodes as training sequences: with gold parents' answers, the model's own, or drawn
/// between the two.
final class WorkflowTrainingData: TrainingData {
  private let examples: WorkflowExamples
  /// Episodes that no phase trains on.
  private let heldBack: [Episode]
  private let validationEpisodes: WorkflowValidation
  private let stage: LlamaStage
  private let predictor: AnswerPredictor
  /// Predicted answers while the parents stay as they are: by task and sample.
  private var predictions: [String: [Int: String]] = [:]
  private var predictedPhase = -1

  init(_ examples: WorkflowExamples, validation: [Episode], stage: LlamaStage) {
    (self.examples, self.heldBack, self.stage) = (examples, validation, stage)
    validationEpisodes = WorkflowValidation(examples, episodes: validation)
    predictor = AnswerPredictor(stage, prompts: examples.prompts)
  }

  private var workflow: Workflow { examples.workflow }
  var sampleCount: Int { examples.episodes.count }
  var usesPredictions: Bool { examples.usesPredictions }
  var validation: (any ValidationEpisodes)? { validationEpisodes }

  /// Renders every validation question, so that what cannot be rendered shows before training starts.
  func checkValidation() throws { try validationEpisodes.check() }

  /// Held-back samples that one decision looks at.
  private static let heldBackCount = 16

  func heldBack(task: String) throws -> [TokenSequence] {
    let parents = workflow.graph.parents(of: task)
    return try heldBack.prefix(Self.heldBackCount).map {
      let example = try examples.prompts.example(
        task: task, episode: $0, parentAnswers: $0.goldAnswers(of: parents))
      return TokenSequence(prompt: example.prompt, completion: example.completion)
    }
  }

  func longestSequence(task: String) throws -> Int {
    try examples.longestSequence(task) + (usesPredictions ? examples.slack(task) : 0)
  }

  func sequences(
    task: String, samples: [Int], phase: Int, epoch: Int, parentsChange: Bool, adapter: () -> LoRAAdapter
  ) throws -> [TokenSequence] {
    let parents = workflow.graph.parents(of: task)
    let own =
      parents.isEmpty ? [] : samples.filter { examples.predicts($0, phase: phase, epoch: epoch) }
    var texts: [Int: [String: String]] = [:]
    if !own.isEmpty {
      texts = try predictedAnswers(
        parents, samples: own, phase: phase, parentsChange: parentsChange, adapter: adapter)
    }
    return try samples.map { try examples.sequence(task, sample: $0, parentAnswers: texts[$0]) }
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
        task: name, episodes: missing.map { examples.episodes[$0] },
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
