/// The order in which the tasks train: for each round, level by level, and within a level in file order,
/// one phase per task. A collection of `Phase` values, made when asked for.
package struct PhaseSchedule: Sendable, Hashable {
  /// The largest number of rounds that is accepted.
  package static let maximumRounds = 1_000_000

  /// The tasks and their edges.
  package let graph: TaskDependencyGraph
  /// The tasks' columns.
  package let blocks: RankBlocks
  /// The frozen ratio δ: the share of each prerequisite's columns that is frozen while a task trains.
  package let frozenRatio: Double
  /// Whose columns a task uses.
  package let prerequisiteRule: PrerequisiteRule
  /// Which columns of a prerequisite freeze.
  package let freezeRule: FreezeRule
  /// How often every task is visited.
  package let rounds: Int

  private let firstRound: [Phase]

  /// Lays out the phases.
  ///
  /// - Parameters:
  ///   - graph: the tasks and their edges.
  ///   - blocks: one block for each task of the graph, in the same order (anything else traps).
  ///   - frozenRatio: δ in `0...1`; `round(δ r_p)` columns of a prerequisite freeze, rounded half up.
  ///   - prerequisiteRule: whose columns a task uses.
  ///   - freezeRule: which columns freeze. With `importance` phases are provisional where there is a choice.
  ///   - rounds: how often every task is visited.
  /// - Throws: `TaskGraphError.frozenRatioOutOfRange` or `.roundsOutOfRange`.
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

  /// The columns a task sees at inference, all of them active, ascending: its own and its prerequisites'.
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
  /// The place of the first phase.
  package var startIndex: Int { 0 }
  /// The number of phases: rounds times tasks.
  package var endIndex: Int { rounds * firstRound.count }

  /// The phase at a place in the schedule, from 0.
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
