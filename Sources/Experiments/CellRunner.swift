import ContextLoRA
import Datasets
import Evaluation
import Foundation
import InputErrors
import LanguageModels
import Methods
import Prompting
import Runs
import SafeFiles
import SeededRandom
import TaskGraph
import Tensor
import Workflows

/// Measures methods on benchmarks. Keeps the model in memory from one measurement to the next.
package final class CellRunner {
  let models: String
  private let effort: ExperimentEffort
  private let shouldStop: () -> Bool
  private var loaded: (identity: String, model: LlamaModel)?
  private var benchmarks: [BenchmarkID: Benchmark] = [:]

  /// Called with the progress of a training, and before an evaluation.
  package var onProgress: (MethodTrainer.Progress?) throws -> Void = { _ in }

  /// Called now and then while a workflow file, its data and its prompts are read and checked, with the file. An error
  /// that it throws ends the preparation.
  package var onPreparation: (String) throws -> Void = { _ in }

  /// - Parameters:
  ///   - models: the folder of fetched models.
  ///   - shouldStop: asked after each optimiser step, and between evaluations.
  package init(models: String, effort: ExperimentEffort, shouldStop: @escaping () -> Bool = { false }) {
    (self.models, self.effort, self.shouldStop) = (models, effort, shouldStop)
  }

  /// A measurement that can start: everything was read and checked.
  package struct Prepared {
    /// Everything that the result depends on.
    package var key: String { keys[0] }
    /// The key, then those of the same measurement on machines with other instructions or number formats.
    package let keys: [String]
    /// The benchmark, the method, the variant and the seed.
    package var title: String {
      [workflow.name, cell.method.name, cell.fullVariant, "seed \(cell.seed)"].filter { !$0.isEmpty }
        .joined(separator: ", ")
    }
    let cell: ExperimentCell
    let workflow: Workflow
    let material: WorkflowMaterial
    let data: DatasetTables
    /// The test episodes that are answered.
    let test: [Episode]
    let type: ElementType
  }

  /// A workflow file with its data and model, read and checked once for all methods and seeds.
  private struct Benchmark {
    let workflow: Workflow
    let material: WorkflowMaterial
    let data: DatasetTables
    /// The SHA-256 of each split.
    let checksums: [DatasetFolder.Split: String]
  }

  private struct BenchmarkID: Hashable {
    let file: String
    let overrides: [String]
  }

  private func benchmark(_ id: BenchmarkID) throws -> Benchmark {
    if let known = benchmarks[id] { return known }
    try onPreparation(id.file)
    let read = try Workflow(contentsOf: id.file, overrides: id.overrides)
    let folder = DatasetFolder(path: read.dataFolder)
    let data = try folder.tables(schema: read.episodeSchema)
    let workflow = try read.applying(overrides: effort.overrides(read, samples: data.train.count))
    let material = try WorkflowMaterial(workflow, models: models)
    let examples = WorkflowExamples(
      workflow: workflow, episodes: data.train, validation: data.valid, prompts: material.prompts)
    try MethodTrainer.check(examples)
    // A prompt that is too long must not end the experiment after hours.
    _ = try examples.check(file: folder.file(.train), resumes: false) { _, _ in try onPreparation(id.file) }
    try check(Array(data.test.prefix(effort.testEpisodes)), material.prompts, folder)
    let checksums = try DatasetFolder.Split.allCases.map { split in
      (split, try FileChecksum.sha256(of: URL(fileURLWithPath: folder.file(split))))
    }
    let benchmark = Benchmark(
      workflow: workflow, material: material, data: data,
      checksums: Dictionary(uniqueKeysWithValues: checksums))
    benchmarks[id] = benchmark
    return benchmark
  }

  /// Renders the test episodes with every reply that is scored.
  private func check(_ test: [Episode], _ prompts: PromptRenderer, _ folder: DatasetFolder) throws {
    _ = try PromptCheck(prompts).check(test, in: folder.file(.test), replies: .all)
  }

  /// Reads and checks a measurement.
  ///
  /// - Throws: an error with the problem and the fix.
  package func prepare(_ cell: ExperimentCell) throws -> Prepared {
    let benchmark = try benchmark(BenchmarkID(file: cell.file, overrides: cell.overrides))
    let workflow = try benchmark.workflow.applying(overrides: ["training.seed=\(cell.seed)"])
    let material = benchmark.material
    for (task, share) in cell.noise {
      guard workflow.graph.contains(task), (0...1).contains(share) else {
        throw Refusal(
          cell.file, "has no task '\(task)', or \(share) is not a share", "give noise of its tasks, 0 to 1")
      }
    }
    let type = material.device().computeType
    let test = Array(benchmark.data.test.prefix(effort.testEpisodes))
    let folder = DatasetFolder(path: workflow.dataFolder)
    do {
      let examples = try prompts(cell, workflow, material, benchmark.data.train)
      if let examples { try check(test, examples, folder) }
    } catch let error as any InputError {
      // Longer than the prompts of all others.
      throw Refusal(
        "\(cell.method.name), seed \(cell.seed)",
        "its prompts with examples cannot be shown to the model: \(error)",
        "leave it out with --methods, or use a model with a longer context")
    }
    let noise = cell.noise.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    let common = try workflow.applying(overrides: Self.overridesOfKey(workflow, cell.method))
    let splits = DatasetFolder.Split.allCases.map {
      cell.method.reads($0) ? benchmark.checksums[$0] ?? "" : "-"
    }
    let key = [
      "results 3", common.canonicalYAML(), splits.joined(separator: " "), material.modelIdentity,
      material.promptIdentity.tokenizer, material.promptIdentity.template,
      "method \(cell.method.name)\(cell.method.version)", "noise \(noise)", "edges \(cell.edges.rawValue)",
      "test \(test.count)",
    ].joined(separator: "\n")
    let here = Self.place(type, CPUDevice.instructionSet, emulates: CPUDevice.emulates(type))
    let types = workflow.training.precision == .auto ? [ElementType.bfloat16, .float32] : [type]
    let elsewhere = types.flatMap { type in
      CPUDevice.instructionSets.flatMap { set in
        (type == .bfloat16 ? [false, true] : [false]).map { Self.place(type, set, emulates: $0) }
      }
    }
    return Prepared(
      keys: ([here] + elsewhere.filter { $0 != here }).map { key + "\n" + $0 }, cell: cell,
      workflow: workflow, material: material, data: benchmark.data, test: test, type: type)
  }

  /// Gives the settings on which a method's result does not depend the same values in every key.
  private static func overridesOfKey(_ workflow: Workflow, _ method: Method) -> [String] {
    let training = workflow.training
    guard method.trains else {
      return workflow.tasks.flatMap { task in
        ["rank", "steps", "maxSteps"].map { "tasks.\(task.name).\($0)=null" }
      }
        + ["lora={}", "training={answerForm: \(training.answerForm.rawValue), seed: \(training.seed)}"]
    }
    // The method, not the workflow, says how columns are partitioned and start; the budget is that of the effort.
    return [
      "training.frozenRatio=1", "training.prerequisites=ancestors", "training.rounds=1",
      "training.blockStart=base", "training.freeze=leading", "training.staleness=1",
      "training.checkpointEvery=50", "training.budget=null", "training.precision=auto",
    ]
  }

  /// What a machine computes with.
  private static func place(_ type: ElementType, _ instructionSet: String, emulates: Bool) -> String {
    "\(type.rawValue) \(machine(instructionSet, emulates: emulates))"
  }

  private static func machine(_ instructionSet: String, emulates: Bool) -> String {
    instructionSet + (emulates ? " emulated" : "")
  }

  /// Trains and evaluates.
  ///
  /// - Returns: `nil` if it was asked to stop.
  /// - Throws: an error with the problem and the fix; `TrainingError`.
  package func measure(_ prepared: Prepared) throws -> CellResult? {
    let (cell, workflow, material) = (prepared.cell, prepared.workflow, prepared.material)
    let model = try model(material, prepared.type)
    let train = prepared.data.train.noisy(
      cell.noise, seed: UInt64(cell.seed), tasks: workflow.tasks.map(\.name))
    let examples = WorkflowExamples(
      workflow: workflow, episodes: train, validation: prepared.data.valid, prompts: material.prompts)
    _ = try examples.check(file: workflow.dataFolder, resumes: false)
    let test = prepared.test
    let goldAnswers = GoldAnswers(
      episodes: test, graph: workflow.graph, model: model,
      predictor: AnswerPredictor(
        model, prompts: try prompts(cell, workflow, material, train) ?? material.prompts))
    let trainer = try MethodTrainer(
      model, examples, modules: material.modules, options: workflow.trainingOptions,
      graph: try workflow.graph.varied(cell.edges),
      measure: { [self] task, view in
        let answers = try goldAnswers.predict(task, view) { try checkForStop() }
        return Double(zip(test, answers).count { $0.isRight($1, task: task) == true })
          / Double(max(test.count, 1))
      }, shouldStop: shouldStop, onProgress: { [self] in try onProgress($0) })
    do {
      guard let fitted = try trainer.train(cell.method) else { return nil }
      try onProgress(nil)
      return try evaluate(fitted, prepared, goldAnswers, model)
    } catch is Stopped { return nil }
  }

  private struct Stopped: Error {}

  private func checkForStop() throws {
    if shouldStop() { throw Stopped() }
  }

  private func evaluate(
    _ fitted: FittedMethod, _ prepared: Prepared, _ goldAnswers: GoldAnswers, _ model: LlamaModel
  ) throws -> CellResult {
    let test = goldAnswers.episodes
    let (cell, workflow) = (prepared.cell, prepared.workflow)
    let start = ContinuousClock.now
    let views = fitted.views.mapValues { model.view(of: $0.adapter, .inference($0.columns)) }
    let evaluator = WorkflowEvaluator(workflow: workflow, predictor: goldAnswers.predictor) { views[$0] }
    var isRight = [Bool](repeating: true, count: test.count)
    let report = try evaluator.evaluate(
      test, check: { [self] in try checkForStop() },
      onAnswers: { task, _, chained, _ in
        for (index, answer) in chained.enumerated() {
          isRight[index] = isRight[index] && test[index].isRight(answer, task: task) == true
        }
      }, known: { task in fitted.views[task].flatMap { goldAnswers.known(task, $0) } })
    try prepared.material.checkUnchanged()
    return CellResult(
      key: prepared.key, benchmark: workflow.name, method: cell.method.name, variant: cell.variant,
      seed: cell.seed, episodes: test.count,
      tasks: report.tasks.map {
        CellResult.Task(
          task: $0.task, gold: $0.gold.correct, chained: $0.chained.correct,
          rightAfter: fitted.rightAfter[$0.task])
      }, allRight: isRight.map { $0 ? "1" : "0" }.joined(), parameters: fitted.parameters,
      steps: fitted.steps, tokens: fitted.tokens, seconds: fitted.seconds,
      evaluationSeconds: (ContinuousClock.now - start) / .seconds(1), course: fitted.course,
      precision: prepared.type.rawValue,
      machine: Self.machine(CPUDevice.instructionSet, emulates: CPUDevice.emulates(prepared.type)))
  }

  private func model(_ material: WorkflowMaterial, _ type: ElementType) throws -> LlamaModel {
    let identity = "\(material.modelIdentity) \(type.rawValue) \(material.workflow.lora.firstLayer)"
    if let loaded, loaded.identity == identity { return loaded.model }
    loaded = nil
    let model = try material.model(on: material.device(type: type), use: .forwardAndBackward)
    loaded = (identity, model)
    return model
  }
}
