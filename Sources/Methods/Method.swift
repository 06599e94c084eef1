import Foundation
import TaskGraph

/// A way to make one model do all tasks of a workflow.
package enum Method: Sendable, Hashable {
  /// The base model as it is.
  case zeroShot
  /// The base model with examples in each prompt.
  case fewShot(examples: Int)
  /// One LoRA of the summed rank, with the samples of all tasks mixed.
  case joint
  /// One LoRA of the summed rank, one task after the other; all columns train in every phase.
  case sequential(TaskOrder)
  /// A LoRA for each task, which sees no other.
  case independent(IndependentRank)
  /// LoRA experts of each task, combined with learned gates (MoLE; Wu et al., arXiv 2404.13628).
  case mole
  /// One task after the other, each in new columns that are kept orthogonal to the earlier ones (O-LoRA; Wang et al.,
  /// arXiv 2310.14152). All tasks are answered with the sum of all columns.
  case orthogonal
  /// A shared A, several B weighted by task, and a matrix of each task between them (MTL-LoRA; Yang et al., arXiv
  /// 2410.09437).
  case mtlLoRA
  /// Columns partitioned along the task graph.
  case contextLoRA(Partition)

  /// The order in which tasks train.
  package enum TaskOrder: String, Sendable, Hashable, Codable {
    case topological
    /// Shuffled with the seed.
    case random
  }

  /// The rank of independent adapters.
  package enum IndependentRank: String, Sendable, Hashable, Codable {
    /// Each task's share of the rank.
    case share
    /// The summed rank for each task.
    case full
  }

  /// The settings of ContextLoRA.
  package struct Partition: Sendable, Hashable {
    /// The tasks whose columns a task also uses.
    package var prerequisites: PrerequisiteRule
    /// The frozen ratio δ; `nil` for adaptive freezing.
    package var frozenRatio: Double?
    /// Slides over all levels; each has its share of the steps.
    package var rounds: Int
    /// The values with which each task's columns start.
    package var start: BlockStart

    package init(
      _ prerequisites: PrerequisiteRule = .ancestors, frozenRatio: Double? = 1, rounds: Int = 1,
      start: BlockStart = .base
    ) {
      (self.prerequisites, self.frozenRatio) = (prerequisites, frozenRatio)
      (self.rounds, self.start) = (rounds, start)
    }
  }

  /// The methods of the main table, in its order.
  package static let all: [Method] =
    [
      .zeroShot, .fewShot(examples: 3), .joint, .sequential(.topological), .sequential(.random),
      .independent(.share), .independent(.full), .mole, .orthogonal, .mtlLoRA,
      .contextLoRA(Partition(start: .fresh)), .contextLoRA(Partition(.direct)),
    ] + [1, 0.5, 0].map { .contextLoRA(Partition(frozenRatio: $0)) } + [
      .contextLoRA(Partition(frozenRatio: nil))
    ]

  /// The name in tables and in results, such as `context-ancestors-d0.5`.
  package var name: String {
    switch self {
    case .zeroShot: "zero-shot"
    case .fewShot(let examples): "few-shot-\(examples)"
    case .joint: "joint"
    case .sequential(.topological): "sequential"
    case .sequential(.random): "sequential-random"
    case .independent(.share): "independent"
    case .independent(.full): "independent-full"
    case .mole: "mole"
    case .orthogonal: "o-lora"
    case .mtlLoRA: "mtl-lora"
    case .contextLoRA(let partition):
      "context-\(partition.prerequisites.rawValue)-"
        + (partition.frozenRatio.map { "d" + Self.short($0) } ?? "adaptive")
        + (partition.rounds > 1 ? "-r\(partition.rounds)" : "") + (partition.start == .fresh ? "-fresh" : "")
    }
  }

  /// A line for readers who do not know the name.
  package var summary: String {
    switch self {
    case .zeroShot: "the base model"
    case .fewShot(let examples): "the base model, \(examples) examples in each prompt"
    case .joint: "one LoRA of the summed rank, all tasks mixed"
    case .sequential(.topological): "one LoRA of the summed rank, task after task along the graph"
    case .sequential(.random): "one LoRA of the summed rank, task after task in random order"
    case .independent(.share): "a LoRA for each task with its share of the rank"
    case .independent(.full): "a LoRA for each task with the summed rank"
    case .mole: "frozen LoRAs of all tasks with gates learned for each task and layer"
    case .orthogonal: "a LoRA for each task, orthogonal to the earlier ones; all are added"
    case .mtlLoRA: "a shared A, several B weighted by task, a matrix for each task"
    case .contextLoRA(let partition):
      "columns partitioned along the graph (\(partition.prerequisites.rawValue)), "
        + (partition.frozenRatio.map { "frozen ratio \(Self.short($0))" } ?? "adaptive freezing")
        + (partition.rounds > 1 ? ", \(partition.rounds) rounds" : "")
        + (partition.start == .fresh ? ", blocks start at random" : "")
    }
  }

  /// Whether anything trains.
  package var trains: Bool {
    switch self {
    case .zeroShot, .fewShot: false
    default: true
    }
  }

  private static func short(_ ratio: Double) -> String {
    ratio == ratio.rounded() ? String(Int(ratio)) : String(ratio)
  }
}
