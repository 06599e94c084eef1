/// Which columns of a prerequisite are frozen while a task trains.
package enum FreezeRule: String, Sendable, Hashable, CaseIterable {
  /// The first `round(δ r_p)` columns of the prerequisite's block.
  case leading
  /// The `round(δ r_p)` columns with the highest importance at the start of the phase.
  case importance
}

/// One training phase of one task: which rank columns are trained, frozen and masked.
///
/// | columns | forward | gradient | stored value |
/// |---|---|---|---|
/// | `trainable` | active | yes | changes |
/// | `frozen` | active | no | bit-identical |
/// | `masked` | contributes nothing | no | bit-identical |
///
/// The three sets are disjoint, together contain all columns `0..<rank`, and do not change within a phase.
package struct Phase: Sendable, Hashable {
  /// A task whose columns the phase's task also uses, and how they are split.
  package struct Prerequisite: Sendable, Hashable {
    package let task: String
    /// The columns of the prerequisite.
    package let block: Range<Int>
    /// The columns that are used but not changed, ascending.
    package let frozen: [Int]
    /// The columns that are refined, ascending.
    package let trainable: [Int]
  }

  /// The position in the schedule, from 0.
  package let index: Int
  /// The round, from 1.
  package let round: Int
  /// The number `k` of the task's level `S_k`, from 1.
  package let level: Int
  /// The task that trains.
  package let task: String
  /// The task's own columns.
  package let block: Range<Int>
  /// How the columns of each prerequisite are split. Prerequisites are in topological order.
  package let prerequisites: [Prerequisite]
  /// The total number of columns.
  package let rank: Int
  /// Whether the frozen columns have yet to be chosen by `freezing(mostImportant:)` when the phase starts.
  /// Until then, the leading columns of each block are placeholders: the numbers of columns are final, the
  /// columns are not.
  package let isProvisional: Bool

  /// The columns that are used but not changed, ascending.
  package let frozen: [Int]
  /// The columns that train: the task's own and the refined ones of its prerequisites, ascending.
  package let trainable: [Int]
  /// The columns of all other tasks, which are neither computed nor changed, ascending.
  package let masked: [Int]
  /// The columns that are computed: frozen and trainable, ascending. The task also uses these at inference.
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

  /// The number of frozen columns out of `width`: `δ width`, rounded half up.
  ///
  /// - Parameter ratio: the frozen ratio δ in `0...1`.
  package static func frozenCount(ratio: Double, width: Int) -> Int {
    Int((ratio * Double(width) + 0.5).rounded(.down))
  }

  /// This phase with the most important columns frozen, as many in each prerequisite as before.
  ///
  /// - Parameter importance: one value for each of the `rank` columns. The method's measure is `‖B_c‖·‖A_c‖`,
  ///   summed over layers, at the start of the phase. Only the prerequisites' columns are read. Between
  ///   equally important columns, the lower index is frozen.
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
  /// - Parameter columns: columns of prerequisites, in any order.
  /// - Precondition: every column belongs to a prerequisite.
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
