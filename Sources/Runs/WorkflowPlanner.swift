import Checkpoint
import ContextGear
import Datasets
import Foundation
import InputErrors
import LanguageModels
import Prompting
import SafeFiles
import TaskGraph
import Transport
import Workflows

/// Plans the training of a workflow over the devices of a cluster, from the model's sizes and the data's
/// token counts.
package struct WorkflowPlanner {
  /// The assumed tokens of a sample if they cannot be counted.
  package static let defaultTokens = Workload.Pass(task: "", tokens: 160, labels: 8)
  /// The maximum number of episodes used for counting tokens.
  package static let countedEpisodes = 256

  private let workflow: Workflow
  private let models: String
  /// A YAML file with the model's sizes, instead of the workflow's model.
  package var shape: String?
  /// The tokens of a task's samples, by task, instead of counting the data.
  package var tokens: [String: Workload.Pass] = [:]
  /// Whether to assume ``defaultTokens`` if tokens cannot be counted because the data or the model is
  /// missing.
  package var mayAssumeTokens = true
  /// The number format of activations in messages.
  package var wire = WireFormat.bfloat16
  /// Whether replicas of the model may share a batch.
  package var mayReplicate = true

  /// - Parameter models: the folder of fetched models.
  package init(_ workflow: Workflow, models: String) {
    (self.workflow, self.models) = (workflow, models)
  }

  /// The planner of single steps.
  ///
  /// - Throws: an error with the file and what is wrong with it.
  package func planner(_ cluster: Cluster) throws -> Planner {
    var planner = Planner(cluster, shape: try modelShape())
    planner.mayReplicate = mayReplicate
    return planner
  }

  /// Plans every phase, and levels whose tasks may train side by side.
  ///
  /// - Parameters:
  ///   - steps: the result of `workloads()`; `nil` counts again.
  ///   - baseline: plans every phase by this baseline instead of searching.
  ///   - levels: whether to plan tasks of a level side by side. Training runs tasks one after the other, so
  ///     it does not need this.
  /// - Throws: an error with the problem and the fix.
  package func plan(
    _ cluster: Cluster, steps: [Workload]? = nil, by baseline: Baseline? = nil, levels: Bool = true
  ) throws -> WorkflowPlan {
    let steps = try steps ?? workloads().steps
    let planner = try planner(cluster)
    let phases = try steps.map { step throws(Refusal) in
      if let baseline { return try planner.plan(step, by: baseline) }
      return try planner.plan(step)
    }
    let named = Dictionary(
      phases.map { ($0.workload.trained.task, $0) }, uniquingKeysWith: { first, _ in first })
    let readsAncestors = workflow.training.parentAnswers != .gold
    let levels = workflow.graph.levels.indices.compactMap { index -> LevelPlan? in
      guard baseline == nil, levels else { return nil }
      let groups = workflow.phaseSchedule.independentGroups(
        level: index + 1, readingAncestors: readsAncestors
      ).map { $0.compactMap { named[$0] } }
      let time = groups.joined().reduce(0) { $0 + $1.stepTime }
      return planner.planLevel(groups.map { $0.map(\.workload) }, oneAfterTheOther: time)
    }
    return WorkflowPlan(
      workflow: workflow.name, identity: FileChecksum.sha256(of: Data(workflow.canonicalYAML().utf8)),
      cluster: cluster, shape: planner.shape, phases: phases, levels: levels)
  }

  /// The model's sizes, with the workflow's rank columns.
  package func modelShape() throws -> ModelShape {
    var found: ModelShape
    if let shape {
      found = try ModelShape(contentsOf: shape)
    } else {
      let path = try ModelLocation(workflow, models: models).path
      found = ModelShape(try ModelFiles.open(path).weights.configuration)
    }
    found.rank = workflow.rankBlocks.rank
    found.firstAdapted = workflow.lora.firstLayer
    guard found.firstAdapted < found.layers else {
      throw Refusal(
        workflow.file,
        "lora.firstLayer: \(found.firstAdapted) is outside the model's \(found.layers) layers",
        "use 0 to \(found.layers - 1)")
    }
    return found
  }

  /// The step of each phase of the first round, in order, and a line on the source of the token counts.
  package func workloads() throws -> (steps: [Workload], source: String) {
    let (known, source) = try passes()
    let schedule = workflow.phaseSchedule
    let steps = schedule.prefix(workflow.tasks.count).map { phase -> Workload in
      let ancestors =
        workflow.training.parentAnswers == .gold ? [] : workflow.forwardOnlyPasses(of: phase.task)
      var trained = known[phase.task]?.trained ?? Self.defaultTokens
      // As in the trainer: the validation of refined prerequisites computes with other columns too.
      let validatesOthers = workflow.training.validateEvery != nil && !phase.refinedPrerequisites.isEmpty
      trained.columns = Workload.Columns(
        trained: phase.trainable.count, frozen: phase.frozen.count,
        mayMerge: ancestors.isEmpty && !validatesOthers)
      return Workload(
        forwardOnly: ancestors.compactMap { ancestor in
          var pass = known[ancestor]?.forwardOnly
          pass?.columns = Workload.Columns(
            trained: 0, frozen: schedule.viewColumns(of: ancestor).count, mayMerge: false)
          return pass
        }, trained: trained,
        samples: workflow.training.batchSize, trainedColumns: phase.trainable.count,
        refinedColumns: phase.prerequisites.reduce(0) { $0 + $1.trainable.count },
        staleness: workflow.training.staleness, wireBytes: wire.valueBytes, wireRowBytes: wire.rowBytes)
    }
    return (steps, source)
  }

  private struct TaskTokens {
    var forwardOnly: Workload.Pass
    var trained: Workload.Pass
  }

  /// Each task's tokens: given, counted, or the defaults.
  private func passes() throws -> ([String: TaskTokens], String) {
    var source = "tokens as given"
    var found: [String: TaskTokens] = [:]
    if tokens.count < workflow.tasks.count {
      if let counted = try count() {
        found = counted
        source = "tokens counted in \(workflow.dataFolder)"
      } else {
        source =
          "tokens assumed: \(Int(Self.defaultTokens.tokens)) per sample, \(Int(Self.defaultTokens.labels)) "
          + "of them labelled (the data or the model is missing)"
      }
    }
    for task in workflow.tasks {
      var pass = tokens[task.name] ?? found[task.name]?.trained ?? Self.defaultTokens
      pass.task = task.name
      if tokens[task.name] == nil, found[task.name] != nil { continue }
      found[task.name] = TaskTokens(forwardOnly: pass, trained: pass)
    }
    return (found, source)
  }

  /// Mean rows that go through the model, over the first training episodes; `nil` if the data or the model is
  /// missing. A trained sample is the prompt and the reply without its last token, which is only predicted. A
  /// forward-only sample is the prompt and every option scored after it, each without its last token.
  private func count() throws -> [String: TaskTokens]? {
    let folder = DatasetFolder(path: workflow.dataFolder)
    let isThere =
      FileManager.default.fileExists(atPath: folder.file(.train))
      && (try? ModelLocation(workflow, models: models)) != nil
    guard isThere || !mayAssumeTokens else { return nil }
    let episodes = try Array(
      folder.table(.train, schema: workflow.episodeSchema).prefix(Self.countedEpisodes))
    let prompts = try WorkflowMaterial(workflow, models: models).prompts
    var result: [String: TaskTokens] = [:]
    for task in workflow.tasks {
      var (rows, labels) = ((trained: 0, scored: 0), (trained: 0, scored: 0))
      var beginnings: [ArraySlice<Int32>] = []
      for episode in episodes {
        let example = try prompts.example(
          task: task.name, episode: episode, parentAnswers: episode.goldAnswers(of: task.parents))
        let trained = example.prompt.count + example.completion.count - 1
        rows.trained += trained
        labels.trained += example.completion.count
        beginnings.append(example.prompt.dropLast())
        guard let item = episode.tasks[task.name], !item.options.isEmpty else {
          rows.scored += trained
          labels.scored += example.completion.count
          continue
        }
        let question = try prompts.replyQuestion(
          task: task.name, episode: episode, item: item, parentAnswers: episode.goldAnswers(of: task.parents))
        rows.scored += question.rowCount
        labels.scored += question.continuations.reduce(0) { $0 + $1.count }
      }
      let shared = PackedBatch.sharedPrefix(beginnings)
      func pass(_ rows: Int, _ labels: Int) -> Workload.Pass {
        let count = Double(episodes.count)
        return Workload.Pass(
          task: task.name, tokens: Double(rows) / count, shared: Double(shared),
          labels: Double(labels) / count)
      }
      result[task.name] = TaskTokens(
        forwardOnly: pass(rows.scored, labels.scored), trained: pass(rows.trained, labels.trained))
    }
    return result
  }
}

extension ModelShape {
  /// The sizes of a Llama-family model, with weights and activations in 16 bits.
  package init(_ configuration: LlamaConfiguration) {
    self.init(
      layers: configuration.layerCount, hidden: configuration.hiddenSize, heads: configuration.headCount,
      keyValueHeads: configuration.keyValueHeadCount, headDimension: configuration.headDimension,
      feedForward: configuration.intermediateSize, vocabulary: configuration.vocabularySize,
      tiedHead: configuration.tiedEmbeddings)
  }
}
