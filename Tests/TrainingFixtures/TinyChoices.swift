import ContextGear
import ContextLoRA
import Foundation
import LanguageModels
import PipelinedTraining
import SeededRandom
import TaskGraph
import Tensor
import TestSupport

/// The tiny workflow's diamond with three options per task and the parents' answers in the prompts, for
/// training in one process and over the ranks of a pipeline.
package final class TinyChoices: ChoiceSamples, TaskAnswerer, ValidationEpisodes {
  let base: TinyWorkflow
  package let sampleCount = 10
  /// The share of samples that read predicted answers, 0...1.
  let share: Double
  private let scorer: Scorer?
  private let heldOut: Range<Int>

  /// - Parameters:
  ///   - wholeModel: whether to predict answers in this process, with the whole model.
  ///   - heldOut: the samples for validation.
  package init(
    _ base: TinyWorkflow, share: Double, wholeModel: Bool, heldOut: Range<Int> = 50..<90
  ) {
    self.base = base
    self.share = share
    self.heldOut = heldOut
    scorer = wholeModel ? Scorer(base.model) : nil
  }

  private var graph: TaskDependencyGraph { base.schedule.graph }
  package var usesPredictions: Bool { share > 0 }

  private func tokens(_ seed: UInt64, _ stream: UInt64, _ count: Int) -> [Int32] {
    var generator = SeededGenerator(seed: seed, stream: stream)
    return (0..<count).map { _ in Int32(generator.below(base.stage.configuration.vocabularySize)) }
  }

  private func number(_ task: String) -> UInt64 { UInt64(graph.tasks.firstIndex(of: task) ?? 0) }

  /// The index of the gold answer.
  private func recorded(_ task: String, _ sample: Int) -> Int { (sample + Int(number(task))) % 3 }

  /// An option's text: one to three tokens.
  private func option(_ task: String, _ sample: Int, _ option: Int) -> [Int32] {
    tokens(UInt64(sample), 100 + number(task) * 10 + UInt64(option), 1 + option)
  }

  private func prompt(_ task: String, _ sample: Int, _ answers: [String: String]?) -> [Int32] {
    var prompt = tokens(UInt64(sample), number(task) + 1, 3 + sample % 4)
    for parent in graph.parents(of: task) {
      prompt += option(parent, sample, answers?[parent].flatMap { Int($0) } ?? recorded(parent, sample))
    }
    return prompt
  }

  package func passes(of task: String) -> [String] { usesPredictions ? graph.ancestors(of: task) : [] }

  package func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool {
    var generator = SeededGenerator(seed: UInt64(sample), stream: UInt64(phase * 8 + epoch + 1))
    return generator.unit() < share
  }

  package func question(_ task: String, sample: Int, parentAnswers: [String: String]) -> ScoreRequest {
    ScoreRequest(
      prompt: prompt(task, sample, parentAnswers), continuations: (0..<3).map { option(task, sample, $0) })
  }

  package func optionCount(_ task: String, sample: Int) -> Int { 3 }

  package func text(_ task: String, sample: Int, option: Int) -> String { "\(option)" }

  package func choice(_ task: String, sample: Int, scores: [[Float]]) -> Int {
    let sums = scores.map { $0.reduce(0, +) / Float($0.count) }
    return sums.indices.max { sums[$0] < sums[$1] } ?? 0
  }

  package func sequence(_ task: String, sample: Int, parentAnswers: [String: String]?) -> TokenSequence {
    TokenSequence(
      prompt: prompt(task, sample, parentAnswers), completion: option(task, sample, recorded(task, sample)))
  }

  package func longestQuestion(_ task: String) -> Int { 24 }
  package func longestSequence(_ task: String) -> Int { 24 }

  // MARK: Validation

  package var validation: (any ValidationEpisodes)? { self }

  package func questions(task: String) -> [ScoreRequest] {
    heldOut.map { question(task, sample: $0, parentAnswers: [:]) }
  }

  package func score(task: String, _ scores: [[[TokenScore]]]) -> ValidationScore {
    var score = ValidationScore(loss: 0, correct: 0, count: heldOut.count)
    for (sample, options) in zip(heldOut, scores) {
      let right = recorded(task, sample)
      score.loss -= Double(options[right].reduce(0) { $0 + $1.logProbability }) / Double(heldOut.count)
      score.correct +=
        choice(task, sample: sample, scores: options.map { $0.map(\.logProbability) }) == right ? 1 : 0
    }
    return score
  }

  package func majority(task: String) -> Double { 0.35 }

  // MARK: Answers in one process

  package func validationSequences(_ task: String) -> [TokenSequence] { [] }

  package func answers(
    _ task: String, samples: [Int], parentAnswers: [[String: String]], adapter: LoRAAdapter, columns: [Int]
  ) throws -> [String] {
    guard let scorer else { return [] }
    let view = DeviceAdapter(
      adapter, columns: .inference(columns), configuration: base.stage.configuration,
      device: base.stage.device)
    return try zip(samples, parentAnswers).map { sample, answers in
      let request = question(task, sample: sample, parentAnswers: answers)
      let scores = try scorer.score([request], adapter: view)[0]
      return text(task, sample: sample, option: choice(task, sample: sample, scores: scores))
    }
  }
}
