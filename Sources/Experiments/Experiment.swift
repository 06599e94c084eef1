import Foundation
import InputErrors
import Methods
import TaskGraph

/// A question about methods, with the measurements that answer it.
package struct Experiment: Sendable {
  /// The name, as in `contexture experiment NAME`.
  package let name: String
  /// What it asks.
  package let question: String
  /// The measurements on one workflow with one seed.
  ///
  /// - Parameter first: the workflow's first task in topological order.
  package let cells:
    @Sendable (_ file: String, _ first: String, _ seed: Int, _ isQuick: Bool) -> [ExperimentCell]

  /// The names of the methods that it compares, each once.
  package func methods(isQuick: Bool) -> [String] {
    cells("", "", 1, isQuick).map(\.method.name).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// What an experiment is about.
  package enum Worlds: Sendable {
    case benchmarks
    /// Before them, a chain of two tasks, the smallest workflow.
    case benchmarksAndPair
    /// Worlds of stations with more and more tasks instead.
    case stations
  }

  package var worlds: Worlds {
    switch name {
    case Self.scale.name: .stations
    case Self.delta.name: .benchmarksAndPair
    default: .benchmarks
    }
  }

  /// All experiments, in the order of their pages.
  package static let all: [Experiment] = [table, delta, noise, order, adaptive, rounds, scale, bits]

  /// The experiment with a name; `nil` if there is none.
  package init?(named name: String) {
    guard let found = Self.all.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  private init(
    _ name: String, _ question: String,
    cells: @escaping @Sendable (String, String, Int, Bool) -> [ExperimentCell]
  ) {
    (self.name, self.question, self.cells) = (name, question, cells)
  }

  private static func context(_ ratio: Double?, _ rule: PrerequisiteRule = .ancestors, rounds: Int = 1)
    -> Method
  {
    .contextLoRA(Method.Partition(rule, frozenRatio: ratio, rounds: rounds))
  }

  static let table = Experiment(
    "table", "Which method answers best, what does it cost, and what does it forget?"
  ) { file, _, seed, _ in Method.all.map { ExperimentCell(file, $0, seed: seed) } }

  static let delta = Experiment(
    "delta", "Do later tasks improve as the frozen ratio δ falls, while earlier ones hold?"
  ) { file, _, seed, isQuick in
    (isQuick ? [0, 1] : [0, 0.25, 0.5, 0.75, 0.8, 1]).map { ExperimentCell(file, context($0), seed: seed) }
  }

  static let noise = Experiment(
    "noise", "How much of wrong labels in the first task reaches the last one?"
  ) { file, first, seed, isQuick in
    let methods: [Method] = isQuick ? [.joint, context(1)] : [.joint, .mole, context(1), context(0)]
    return (isQuick ? [0, 0.1] : [0, 0.05, 0.1]).flatMap { share in
      methods.map {
        var cell = ExperimentCell(file, $0, seed: seed)
        if share > 0 { cell.noise = [first: share] }
        return cell
      }
    }
  }

  static let order = Experiment(
    "order", "Is it the graph that helps: the true one against none, a reversed and a wrong one?"
  ) { file, _, seed, isQuick in
    (isQuick ? [1] : [1, 0.5]).flatMap { ratio in
      ExperimentCell.Edges.allCases.map {
        var cell = ExperimentCell(file, context(ratio), seed: seed)
        cell.edges = $0
        return cell
      }
    }
  }

  static let adaptive = Experiment(
    "adaptive", "Is adaptive freezing better than every fixed frozen ratio?"
  ) { file, _, seed, isQuick in
    ([nil] + (isQuick ? [1] : [0, 0.25, 0.5, 0.75, 1])).map { ExperimentCell(file, context($0), seed: seed) }
  }

  static let rounds = Experiment(
    "rounds", "Is one slide over all levels better than several with the same steps?"
  ) { file, _, seed, isQuick in
    (isQuick ? [1, 2] : [1, 2, 4]).map { ExperimentCell(file, context(0.5, rounds: $0), seed: seed) }
  }

  static let scale = Experiment(
    "scale", "Which method breaks where, from 2 to 24 tasks with the same total rank?"
  ) { file, _, seed, isQuick in
    let methods: [Method] =
      isQuick
      ? [.joint, context(1)]
      : [.joint, .sequential(.topological), .independent(.share), context(1, .direct), context(1)]
    return methods.map {
      var cell = ExperimentCell(file, $0, seed: seed)
      cell.overrides = scaleOverrides
      return cell
    }
  }

  /// A multiple of every number of tasks in ``taskCounts(isQuick:)``.
  private static let scaleRank = 48
  private static let scaleOverrides = ["lora.rank=\(scaleRank)", "lora.alpha=\(2 * scaleRank)"]

  /// The variant of the results of ``scale``.
  package static var scaleVariant: String {
    var cell = ExperimentCell("", .joint, seed: 1)
    cell.overrides = scaleOverrides
    return cell.variant
  }

  /// The numbers of tasks of the worlds of stations.
  package static func taskCounts(isQuick: Bool) -> [Int] { isQuick ? [2, 4] : [2, 4, 8, 16, 24] }

  static let bits = Experiment(
    "bits", "Does bfloat16 cost accuracy, and what does float32 cost in time?"
  ) { file, _, seed, _ in
    ["float32", "bfloat16"].flatMap { type in
      [Method.joint, context(1)].map {
        var cell = ExperimentCell(file, $0, seed: seed)
        cell.overrides = ["training.precision=\(type)"]
        return cell
      }
    }
  }
}
