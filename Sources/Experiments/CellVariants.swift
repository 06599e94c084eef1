import Datasets
import Methods
import Prompting
import Runs
import TaskGraph
import Workflows

extension EpisodeTable {
  /// The episodes with wrong options as the gold answers of a share of them. The other tasks' answers stay, so that
  /// children read wrong parents' answers.
  ///
  /// - Parameters:
  ///   - noise: by task, the share, 0...1. A larger share has the wrong labels of a smaller one and more.
  ///   - tasks: all tasks, in an order that decides each one's random numbers.
  func noisy(_ noise: [String: Double], seed: UInt64, tasks: [String]) -> EpisodeTable {
    guard noise.values.contains(where: { $0 > 0 }) else { return self }
    var episodes = Array(self)
    LabelNoise.add(noise, to: &episodes, tasks: tasks, seed: seed)
    return EpisodeTable(episodes)
  }
}

extension TaskDependencyGraph {
  /// The graph with other edges.
  ///
  /// - Throws: never for a valid graph: none of these has cycles.
  func varied(_ edges: ExperimentCell.Edges) throws(TaskGraphError) -> TaskDependencyGraph {
    switch edges {
    case .workflow: return self
    case .none: return try TaskDependencyGraph(tasks.map { (name: $0, parents: []) })
    case .reversed: return try TaskDependencyGraph(tasks.map { (name: $0, parents: children(of: $0)) })
    case .wrong:
      let order = topologicalOrder
      let next = Dictionary(
        uniqueKeysWithValues: order.indices.map { (order[$0], order[($0 + 1) % order.count]) })
      let parents = Dictionary(
        uniqueKeysWithValues: order.map { task in
          (next[task] ?? task, self.parents(of: task).compactMap { next[$0] })
        })
      return try TaskDependencyGraph(tasks.map { (name: $0, parents: parents[$0] ?? []) })
    }
  }
}

extension Method {
  /// Counts the changes of a method after which it gives other results, so that old ones are not taken for new ones.
  var version: String {
    switch self {
    case .joint, .mole, .mtlLoRA, .orthogonal: " 2"
    case .contextLoRA(let partition) where partition.frozenRatio == 1: " 2"
    default: ""
    }
  }

  /// Whether its results depend on a split of the data.
  func reads(_ split: DatasetFolder.Split) -> Bool {
    switch self {
    case .zeroShot: split == .test
    case .fewShot: split != .valid
    default: true
    }
  }
}

extension CellRunner {
  /// Renders prompts with examples in them; `nil` if the method has none.
  func prompts(
    _ cell: ExperimentCell, _ workflow: Workflow, _ material: WorkflowMaterial, _ train: EpisodeTable
  ) throws -> PromptRenderer? {
    guard case .fewShot(let count) = cell.method else { return nil }
    let chosen = EpisodeChoice.first(count, of: train.count, seed: UInt64(cell.seed)).map { train[$0] }
    let overrides = try workflow.tasks.map { task in
      let parts = try chosen.enumerated().map { number, episode in
        let text = try material.prompts.text(
          task: task.name, episode: episode,
          parentAnswers: episode.goldAnswers(of: workflow.graph.parents(of: task.name)))
        let reply = episode.tasks[task.name].map { material.prompts.reply($0) } ?? ""
        // The instruction is there once, before the examples.
        let own = text.dropFirst(task.instruction.count).drop { $0 == "\n" }
        return "Example \(number + 1):\n\(own)\nAnswer: \(reply)"
      }
      let instruction = ([task.instruction] + parts + ["Now answer this:"]).joined(separator: "\n\n")
      return "tasks.\(task.name).instruction=\(YAMLText.quoted(instruction))"
    }
    return try WorkflowMaterial(try workflow.applying(overrides: overrides), models: models).prompts
  }
}

/// Episodes chosen by a seed.
private enum EpisodeChoice {
  static func first(_ number: Int, of count: Int, seed: UInt64) -> [Int] {
    Array(EpochOrder(count: count, seed: seed, epoch: 0).prefix(number))
  }
}
