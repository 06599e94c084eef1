/// The training order: in each round, one phase per task, level by level and in file order within a level. A
/// collection of `Phase` values, which are computed on demand.
package struct PhaseSchedule: Sendable, Hashable {
  /// The upper limit on the number of rounds.
  package static let maximumRounds = 1_000_000

  /// The tasks and their edges.
  package let graph: TaskDependencyGraph
  /// The rank columns of each task.
  package let blocks: RankBlocks
  /// The frozen ratio δ: the share of each prerequisite's columns that is frozen while a task trains.
  package let frozenRatio: Double
  /// The tasks whose columns a task also uses.
  package let prerequisiteRule: PrerequisiteRule
  /// Which columns of a prerequisite are frozen.
  package let freezeRule: FreezeRule
  /// The number of training phases per task.
  package let rounds: Int

  private let firstRound: [Phase]

  /// Creates the phases.
  ///
  /// - Parameters:
  ///   - graph: the tasks and their edges.
  ///   - blocks: one block for each task of the graph.
  ///   - frozenRatio: δ in `0...1`; `round(δ r_p)` columns of a prerequisite are frozen, rounded half up.
  ///   - prerequisiteRule: the tasks whose columns a task also uses.
  ///   - freezeRule: which columns are frozen. With `importance`, a phase with a choice of columns is
  ///     provisional.
  ///   - rounds: the number of training phases per task.
  /// - Throws: `TaskGraphError.frozenRatioOutOfRange` or `.roundsOutOfRange`.
  /// - Precondition: `blocks` has the tasks of `graph` in the same order.
  package init(
    graph: TaskDependencyGraph, blocks: RankBlocks, frozenRatio: Double,
    prerequisiteRule: PrerequisiteRule = .ancestors, freezeRule: FreezeRule = .leading, rounds: Int = 1
  ) throws(TaskGraphError) {
    precondition(graph.tasks == blocks.tasks, "blocks and graph have the same tasks in the same order")
    guard (0...1).contains(frozenRatio) else { throw .frozenRatioOutOfRange(frozenRatio) }
    guard (1...Self.maximumRounds).contains(rounds) else { throw .roundsOutOfRange(rounds) }
    self.graph = graph
    self.blocks = blocks
    self.frozenRatio = frozenRatio
    self.prerequisiteRule = prerequisiteRule
    self.freezeRule = freezeRule
    self.rounds = rounds
    firstRound = graph.topologicalOrder.enumerated().map { index, task in
      let prerequisites = graph.prerequisites(of: task, rule: prerequisiteRule).map { name in
        let block = blocks[name]
        let count = Phase.frozenCount(ratio: frozenRatio, width: block.count)
        return Phase.Prerequisite(
          task: name, block: block, frozen: Array(block.prefix(count)),
          trainable: Array(block.dropFirst(count)))
      }
      let hasChoice = prerequisites.contains { !$0.frozen.isEmpty && !$0.trainable.isEmpty }
      return Phase(
        index: index, round: 1, level: graph.level(of: task), task: task, block: blocks[task],
        prerequisites: prerequisites, rank: blocks.rank,
        isProvisional: freezeRule == .importance && hasChoice)
    }
  }

  /// The columns that a task uses at inference, ascending: its own and its prerequisites', all active.
  package func viewColumns(of task: String) -> [Int] {
    ([task] + graph.prerequisites(of: task, rule: prerequisiteRule)).flatMap { Array(blocks[$0]) }.sorted()
  }

  /// The phase of a task in a round (from 1).
  package func phase(of task: String, round: Int = 1) -> Phase {
    precondition((1...rounds).contains(round), "round \(round) is outside 1...\(rounds)")
    guard let place = firstRound.firstIndex(where: { $0.task == task }) else {
      preconditionFailure("'\(task)' is not a task of this schedule")
    }
    return self[(round - 1) * firstRound.count + place]
  }
}

extension PhaseSchedule: RandomAccessCollection {
  package var startIndex: Int { 0 }
  /// The number of phases: rounds times tasks.
  package var endIndex: Int { rounds * firstRound.count }

  /// The phase at an index in the schedule, from 0.
  package subscript(index: Int) -> Phase {
    precondition(indices.contains(index), "phase \(index) is outside 0..<\(endIndex)")
    let (round, place) = index.quotientAndRemainder(dividingBy: firstRound.count)
    let phase = firstRound[place]
    if round == 0 { return phase }
    return Phase(
      index: index, round: round + 1, level: phase.level, task: phase.task, block: phase.block,
      prerequisites: phase.prerequisites, rank: phase.rank, isProvisional: phase.isProvisional)
  }
}
