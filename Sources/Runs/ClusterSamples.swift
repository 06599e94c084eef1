import ContextLoRA
import Datasets
import Evaluation
import LanguageModels
import PipelinedTraining
import Workflows

/// A workflow's episodes as the ranks of a job see them.
final class ClusterSamples: WorkflowSamples {
  private let examples: WorkflowExamples
  /// By task, so that later phases need not render every question again.
  private var longestQuestions: [String: Int] = [:]

  private let validationEpisodes: WorkflowValidation

  var validation: (any ValidationEpisodes)? { validationEpisodes }

  init(_ examples: WorkflowExamples, validation: [Episode]) {
    self.examples = examples
    validationEpisodes = WorkflowValidation(examples, episodes: validation)
  }

  private var workflow: Workflow { examples.workflow }
  var sampleCount: Int { examples.episodes.count }
  var usesPredictions: Bool { examples.usesPredictions }

  func passes(of task: String) -> [String] {
    usesPredictions ? workflow.forwardOnlyPasses(of: task) : []
  }

  func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool {
    examples.predicts(sample, phase: phase, epoch: epoch)
  }

  private func item(_ task: String, _ sample: Int) throws -> TaskItem {
    guard let item = examples.episodes[sample].tasks[task] else {
      preconditionFailure("an episode without task '\(task)' was let in")
    }
    return item
  }

  /// The texts of chosen options by task, of a task's parents.
  private func texts(_ task: String, _ sample: Int, _ answers: [String: Int]) throws -> [String: String] {
    var texts: [String: String] = [:]
    for parent in workflow.graph.parents(of: task) {
      texts[parent] = try answers[parent].map { try item(parent, sample).options[$0] } ?? ""
    }
    return texts
  }

  func question(_ task: String, sample: Int, answers: [String: Int]) throws -> ScoreRequest {
    try examples.prompts.replyQuestion(
      task: task, episode: examples.episodes[sample], item: try item(task, sample),
      parentAnswers: try texts(task, sample, answers))
  }

  func choice(_ task: String, sample: Int, scores: [[Float]]) -> Int { examples.prompts.replyChoice(scores) }

  func sequence(_ task: String, sample: Int, answers: [String: Int]?) throws -> TokenSequence {
    try examples.sequence(
      task, sample: sample, parentAnswers: try answers.map { try texts(task, sample, $0) })
  }

  func longestQuestion(_ task: String) throws -> Int {
    if let known = longestQuestions[task] { return known }
    let parents = workflow.graph.parents(of: task)
    let longest = try examples.episodes.indices.map { sample in
      let episode = examples.episodes[sample]
      return try examples.prompts.replyQuestion(
        task: task, episode: episode, item: try item(task, sample),
        parentAnswers: episode.goldAnswers(of: parents)
      ).rowCount
    }.max()
    let bound = (longest ?? 0) + (try examples.slack(task))
    longestQuestions[task] = bound
    return bound
  }

  func longestSequence(_ task: String) throws -> Int {
    try examples.longestSequence(task) + (usesPredictions ? examples.slack(task) : 0)
  }
}

extension Workflow {
  /// The tasks that answer, parents before children, before `task` can be asked with the model's own answers.
  package func forwardOnlyPasses(of task: String) -> [String] {
    let ancestors = Set(graph.ancestors(of: task))
    return graph.topologicalOrder.filter(ancestors.contains)
  }
}
