/// Finds the tasks of a level that can train in parallel with the same result as in sequence.
extension PhaseSchedule {
  /// Partitions the tasks of a level: tasks of different groups can train in parallel; the tasks of one group
  /// must train in the given order.
  ///
  /// The training of two tasks interferes if one refines columns that the other uses. Tasks of one level
  /// never use each other's own blocks, so only a shared prerequisite with at least one column that is not
  /// frozen puts them into one group. With δ = 1, every task is a group by itself. Only the number of frozen
  /// columns matters, not which ones, so the groups are valid for every freeze rule.
  ///
  /// - Parameters:
  ///   - level: the number `k` of the level, from 1.
  ///   - readingAncestors: whether a task also runs its ancestors forward while it trains (predicted parent
  ///     answers). If so, it uses all its ancestors' columns, even under the `direct` rule.
  /// - Returns: groups ordered by their first tasks, in file order within each group.
  package func independentGroups(level: Int, readingAncestors: Bool = false) -> [[String]] {
    precondition(graph.levels.indices.contains(level - 1), "level \(level) is outside the graph")
    let members = graph.levels[level - 1]
    let refined = members.map { task in
      Set(phase(of: task).prerequisites.filter { !$0.trainable.isEmpty }.map(\.task))
    }
    let used = members.map { task in
      Set(graph.prerequisites(of: task, rule: readingAncestors ? .ancestors : prerequisiteRule))
    }
    var group = Array(members.indices)
    for i in members.indices {
      for j in members.indices.dropFirst(i + 1)
      where !refined[i].isDisjoint(with: used[j]) || !refined[j].isDisjoint(with: used[i]) {
        let (kept, joined) = (Swift.min(group[i], group[j]), Swift.max(group[i], group[j]))
        guard kept != joined else { continue }
        for k in group.indices where group[k] == joined { group[k] = kept }
      }
    }
    return members.indices.compactMap { first in
      let together = members.indices.filter { group[$0] == first }
      return together.isEmpty ? nil : together.map { members[$0] }
    }
  }
}
