/// Which columns of a prerequisite freeze while a task trains.
package enum FreezeRule: String, Sendable, Hashable, CaseIterable {
  /// The first `round(δ r_p)` columns of its block.
  case leading
  /// The `round(δ r_p)` columns with the largest importance when the phase starts.
  case importance
}

/// The training of one task at one visit: which rank columns train, freeze and are masked.
///
/// | columns | forward | gradient | stored value |
/// |---|---|---|---|
/// | `trainable` | active | yes | changes |
/// | `frozen` | active | no | bit-identical |
/// | `masked` | contributes nothing | no | bit-identical |
///
/// The three are disjoint and together are all columns `0..<rank`. They do not change within a phase.
package struct Phase: Sendable, Hashable {
  /// A task whose knowledge the phase's task uses, and what happens to its columns.
  package struct Prerequisite: Sendable, Hashable {
    /// The prerequisite's name.
    package let task: String
    /// Its columns.
    package let block: Range<Int>
    /// The part of its columns that is used but stays as it is, ascending.
    package let frozen: [Int]
    /// The part of its columns that is refined, ascending.
    package let trainable: [Int]
  }

  /// The place in the schedule, from 0.
  package let index: Int
  /// The round, from 1.
  package let round: Int
  /// The number `k` of the task's level `S_k`, from 1.
  package let level: Int
  /// The task that trains.
  package let task: String
  /// The task's own columns.
  package let block: Range<Int>
  /// What happens to each prerequisite's columns, prerequisites in topological order.
  package let prerequisites: [Prerequisite]
  /// The number of columns in all.
  package let rank: Int
  /// Whether the frozen columns still have to be chosen by `freezing(mostImportant:)` when the phase starts.
  /// Until then the leading columns of each block stand in for them: the counts hold, the columns do not.
  package let isProvisional: Bool

  /// Columns that are used but stay as they are, ascending.
  package let frozen: [Int]
  /// Columns that train: the task's own and the refined ones of its prerequisites, ascending.
  package let trainable: [Int]
  /// Columns of all other tasks: not computed and not touched, ascending.
  package let masked: [Int]
  /// Columns that are computed: frozen and trainable ones, ascending. The task's columns at inference.
  package let active: [Int]

  init(
    index: Int, round: Int, level: Int, task: String, block: Range<Int>, prerequisites: [Prerequisite],
    rank: Int, isProvisional: Bool
  ) {
    self.index = index
    self.round = round
    self.level = level
    self.task = task
    self.block = block
    self.prerequisites = prerequisites
    self.rank = rank
    self.isProvisional = isProvisional
    frozen = prerequisites.flatMap(\.frozen).sorted()
    trainable = (Array(block) + prerequisites.flatMap(\.trainable)).sorted()
    active = (frozen + trainable).sorted()
    var isActive = [Bool](repeating: false, count: rank)
    for column in active { isActive[column] = true }
    masked = (0..<rank).filter { !isActive[$0] }
  }

  /// How many of `width` columns freeze: `δ width`, rounded half up.
  ///
  /// - Parameter ratio: the frozen ratio δ in `0...1`.
  package static func frozenCount(ratio: Double, width: Int) -> Int {
    Int((ratio * Double(width) + 0.5).rounded(.down))
  }

  /// This phase with the same number of frozen columns in each prerequisite, but the most important ones.
  ///
  /// - Parameter importance: one number per column (`rank` of them); for the rule of the method
  ///   `‖B_c‖·‖A_c‖` summed over layers, measured when the phase starts. Only the prerequisites' columns are
  ///   read. Of equally important columns the lower one freezes.
  /// - Throws: `TaskGraphError.importanceNotFinite`.
  package func freezing(mostImportant importance: [Double]) throws(TaskGraphError) -> Phase {
    precondition(importance.count == rank, "one importance for each of the \(rank) columns")
    var chosen: [Int] = []
    for prerequisite in prerequisites {
      for column in prerequisite.block where !importance[column].isFinite {
        throw .importanceNotFinite(column: column)
      }
      let ranking = prerequisite.block.sorted {
        importance[$0] != importance[$1] ? importance[$0] > importance[$1] : $0 < $1
      }
      chosen += ranking.prefix(prerequisite.frozen.count)
    }
    return freezing(chosen)
  }

  /// This phase with exactly these columns frozen; all other columns of the prerequisites train.
  ///
  /// - Parameter columns: columns of prerequisites, in any order. Any other column traps.
  package func freezing(_ columns: some Sequence<Int>) -> Phase {
    let wanted = Set(columns)
    precondition(
      wanted.allSatisfy { column in prerequisites.contains { $0.block.contains(column) } },
      "only columns of prerequisites can freeze")
    return Phase(
      index: index, round: round, level: level, task: task, block: block,
      prerequisites: prerequisites.map {
        Prerequisite(
          task: $0.task, block: $0.block, frozen: $0.block.filter(wanted.contains),
          trainable: $0.block.filter { !wanted.contains($0) })
      },
      rank: rank, isProvisional: false)
  }
}
