import ContextLoRA
import Datasets
import Evaluation
import LanguageModels
import Prompting
import Tensor
import Workflows

/// A workflow's validation episodes as questions: options as continuations of the prompt, free text as its
/// gold reply. Parents' answers are the gold ones.
package final class WorkflowValidation: ValidationEpisodes {
  private unowned let examples: WorkflowExamples
  private let episodes: [Episode]
  private var questionsByTask: [String: [ScoreRequest]] = [:]
  private var majorities: [String: Double] = [:]

  init(_ examples: WorkflowExamples, episodes: EpisodeTable) {
    self.examples = examples
    self.episodes = Array(episodes.prefix(examples.workflow.training.validationEpisodes))
  }

  /// The number of episodes.
  package var count: Int { episodes.count }

  package func questions(task: String) throws -> [ScoreRequest] {
    if let known = questionsByTask[task] { return known }
    let parents = examples.workflow.graph.parents(of: task)
    let questions = try episodes.map { episode in
      let answers = episode.goldAnswers(of: parents)
      if let item = episode.tasks[task], !item.options.isEmpty {
        return try examples.prompts.replyQuestion(
          task: task, episode: episode, item: item, parentAnswers: answers)
      }
      let example = try examples.prompts.example(task: task, episode: episode, parentAnswers: answers)
      return ScoreRequest(prompt: example.prompt, continuations: [example.completion])
    }
    questionsByTask[task] = questions
    return questions
  }

  package func score(task: String, _ scores: [[[TokenScore]]]) -> ValidationScore {
    var (loss, tokens, correct) = (0.0, 0, 0)
    for (episode, continuations) in zip(episodes, scores) {
      let right = episode.tasks[task]?.answerIndex
      let reply = continuations[right ?? 0]
      loss -= reply.reduce(0) { $0 + Double($1.logProbability) }
      tokens += reply.count
      if let right {
        let choice = examples.prompts.replyChoice(continuations.map { $0.map(\.logProbability) })
        correct += choice == right ? 1 : 0
      } else {
        correct += reply.allSatisfy(\.isTop) ? 1 : 0
      }
    }
    return ValidationScore(
      loss: loss / Double(max(tokens, 1)), correct: correct, count: min(episodes.count, scores.count))
  }

  package func majority(task: String) -> Double {
    if let known = majorities[task] { return known }
    let majority = ShortcutBaselines.majority(task: task, train: examples.episodes, test: episodes)
    majorities[task] = majority
    return majority
  }
}

extension WorkflowValidation {
  /// Renders every question of every task, to find errors before training starts.
  func check() throws {
    for task in examples.workflow.tasks { _ = try questions(task: task.name) }
  }
}
