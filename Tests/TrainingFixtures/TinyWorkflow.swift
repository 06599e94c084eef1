import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import SeededRandom
import TaskGraph
import Tensor
import TestSupport

/// A tiny random Llama, a diamond of four tasks and random sequences.
package final class TinyWorkflow: WorkflowSamples, TaskAnswerer {
  package let model: LlamaModel
  /// The layers that the adapter is for; by default, all.
  package let stage: LlamaStage
  package let schedule: PhaseSchedule
  package let adapter: LoRAAdapter
  package let sampleCount = 10
  package let usesPredictions: Bool
  /// The tasks that were answered and the adapters used, in the order of the calls.
  package var predictedWith: [(task: String, adapter: LoRAAdapter)] = []
  /// By task, the samples whose answers were predicted.
  package var asked: [String: [Int]] = [:]
  /// The score of each validation of a task, counted from 1; `nil` for no validation.
  package var scores: ((_ task: String, _ validation: Int) -> ValidationScore)? {
    didSet { scripted = scores.map(ScriptedScores.init) }
  }
  private var scripted: ScriptedScores?
  package var validation: (any ValidationEpisodes)? { scripted }

  package init(
    frozenRatio: Double, freezeRule: FreezeRule = .leading, rounds: Int = 1, workers: Int = 2,
    usesPredictions: Bool = false, layers: Range<Int>? = nil, firstLayer: Int = 0
  ) throws {
    let weights = try ModelFiles.open(Fixtures.url("training/models/grouped").path).weights
    let device = CPUDevice(computeType: .float32, workers: workers)
    let model = try LlamaModel(weights, device: device, firstAdapted: firstLayer)
    self.model = model
    stage =
      try layers.map {
        try LlamaStage(weights, layers: $0, device: device, firstAdapted: firstLayer)
      } ?? model.stage
    let graph = try TaskDependencyGraph([
      (name: "a", parents: []), (name: "b", parents: ["a"]), (name: "c", parents: ["a"]),
      (name: "d", parents: ["b", "c"]),
    ])
    schedule = try PhaseSchedule(
      graph: graph, blocks: RankBlocks(tasks: graph.tasks, rank: 8), frozenRatio: frozenRatio,
      prerequisiteRule: .ancestors, freezeRule: freezeRule, rounds: rounds)
    let modules = TargetModule.all(
      weights.configuration,
      layers: min(
        max(firstLayer, stage.layers.lowerBound), stage.layers.upperBound)..<stage.layers.upperBound,
      targets: Set(Projection.allCases))
    adapter = LoRAAdapter(modules: modules, rank: 8, scale: 2, seed: 11)
    self.usesPredictions = usesPredictions
  }

  package var options: TrainingOptions {
    var options = TrainingOptions()
    options.batchSize = 4
    options.epochs = 2
    options.microBatchTokens = 16
    options.learningRate = LearningRateSchedule(peak: 5e-3, shape: .cosine, warmup: 0.2)
    options.adamW.weightDecay = 0.1
    options.checkpointEvery = 2
    options.seed = 3
    return options
  }

  package func longestSequence(_ task: String) -> Int { 14 }
  package func passes(of task: String) -> [String] { schedule.graph.ancestors(of: task) }
  package func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool { true }

  package func sequence(_ task: String, sample: Int, parentAnswers: [String: String]?) -> TokenSequence {
    let stream = UInt64(schedule.phase(of: task).index) + 1
    var generator = SeededGenerator(seed: UInt64(sample), stream: stream)
    let vocabulary = model.configuration.vocabularySize
    func tokens(_ count: Int) -> [Int32] { (0..<count).map { _ in Int32(generator.below(vocabulary)) } }
    return TokenSequence(prompt: tokens(3 + generator.below(8)), completion: tokens(1 + generator.below(3)))
  }

  package func validationSequences(_ task: String) -> [TokenSequence] {
    [100, 101, 102].map { sequence(task, sample: $0, parentAnswers: nil) }
  }

  package func answers(
    _ task: String, samples: [Int], parentAnswers: [[String: String]], adapter: LoRAAdapter, columns: [Int]
  ) -> [String] {
    predictedWith.append((task, adapter))
    asked[task, default: []] += samples
    return samples.map { _ in "" }
  }

  /// This training, as a checkpoint has to match it.
  package func resumed(_ options: TrainingOptions, validationEpisodes: Int?) -> ResumedTraining {
    ResumedTraining(
      schedule: schedule, options: options, samples: sampleCount, validationEpisodes: validationEpisodes,
      usesPredictions: usesPredictions, fresh: adapter)
  }

  package func trainer(options: TrainingOptions? = nil) -> WorkflowTrainer {
    WorkflowTrainer(
      model, schedule: schedule, adapter: adapter, samples: self, answerer: self,
      options: options ?? self.options)
  }
}

/// Validations with scripted scores. The model still scores one question each time.
private final class ScriptedScores: ValidationEpisodes {
  private let scores: (String, Int) -> ValidationScore
  private var counts: [String: Int] = [:]

  init(_ scores: @escaping (String, Int) -> ValidationScore) { self.scores = scores }

  func questions(task: String) -> [ScoreRequest] {
    [ScoreRequest(prompt: [1, 2], continuations: [[3]])]
  }

  func score(task: String, _ scores: [[[TokenScore]]]) -> ValidationScore {
    counts[task, default: 0] += 1
    return self.scores(task, counts[task] ?? 0)
  }

  func majority(task: String) -> Double { 0.4 }
}

extension LoRAAdapter {
  /// The values of some rank columns at every module, as bits.
  package func bits(of columns: [Int]) -> [UInt32] {
    var bits: [UInt32] = []
    for (module, pair) in zip(modules, pairs) {
      for column in columns {
        for i in 0..<module.inputs { bits.append(pair.a[column * module.inputs + i].bitPattern) }
        for o in 0..<module.outputs { bits.append(pair.b[o * rank + column].bitPattern) }
      }
    }
    return bits
  }
}
