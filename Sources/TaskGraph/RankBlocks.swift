/// The rank columns of every adapted layer, split into one block per task.
///
/// Column `j` of a layer is the pair of row `j` of `A` (`[rank, in]`) and column `j` of `B` (`[out, rank]`).
/// Blocks are in task order, without gaps.
package struct RankBlocks: Sendable, Hashable {
  /// The upper limit on a rank, in total or of one task.
  package static let maximumRank = 65_536
  /// The total rank that ``defaultTotal(ranks:)`` comes as near to as the tasks permit.
  package static let usualRank = 16

  /// The tasks, in file order.
  package let tasks: [String]
  /// The total number of columns: the sum of the blocks' widths.
  package let rank: Int

  private let ranges: [Range<Int>]
  private let position: [String: Int]

  /// Splits the rank equally: every task gets `rank / tasks.count` columns.
  ///
  /// - Throws: `TaskGraphError.rankDoesNotDivide`, `.rankOutOfRange`, `.noTasks` or `.duplicateTask`.
  package init(tasks: [String], rank: Int) throws(TaskGraphError) {
    try self.init(tasks: tasks, ranks: [Int?](repeating: nil, count: tasks.count), total: rank)
  }

  /// Creates blocks of the given widths. Tasks without a width share the rest of the total equally.
  ///
  /// - Parameters:
  ///   - tasks: names in file order.
  ///   - ranks: for each task, its number of columns, or `nil` for an equal share of the rest.
  ///   - total: the total rank; `nil` for the sum of `ranks`, which then must not contain `nil`.
  /// - Throws: `TaskGraphError` if a rank is out of range, the ranks do not add up to the total, or the rest
  ///   cannot be divided equally.
  package init(tasks: [String], ranks: [Int?], total: Int? = nil) throws(TaskGraphError) {
    precondition(tasks.count == ranks.count, "one rank, or nil, for each task")
    guard !tasks.isEmpty else { throw .noTasks }
    if let total {
      guard (1...Self.maximumRank).contains(total) else { throw .rankOutOfRange(task: nil, rank: total) }
    }
    var position: [String: Int] = [:]
    var given = 0
    for (i, task) in tasks.enumerated() {
      guard position.updateValue(i, forKey: task) == nil else { throw .duplicateTask(task) }
      guard let rank = ranks[i] else { continue }
      guard (1...Self.maximumRank).contains(rank) else { throw .rankOutOfRange(task: task, rank: rank) }
      given += rank
    }
    guard given <= Self.maximumRank else { throw .rankSumOutOfRange(given) }
    let open = tasks.indices.filter { ranks[$0] == nil }
    let sum = total ?? given
    var share = 0
    if open.isEmpty {
      guard sum == given else { throw .rankSum(sum: given, rank: sum) }
    } else {
      precondition(total != nil, "without a total every task needs a rank")
      let left = sum - given
      guard left > 0, left.isMultiple(of: open.count) else {
        let below = max(0, left) / open.count * open.count
        let nearest = [below, below + open.count].filter { $0 > 0 }.map { $0 + given }
        throw open.count == tasks.count
          ? .rankDoesNotDivide(rank: sum, tasks: tasks.count, nearest: nearest)
          : .remainderDoesNotDivide(rank: sum, given: given, tasks: open.map { tasks[$0] }, nearest: nearest)
      }
      share = left / open.count
    }
    var next = 0
    self.ranges = ranks.map { rank in
      let lower = next
      next += rank ?? share
      return lower..<next
    }
    self.tasks = tasks
    self.rank = next
    self.position = position
  }

  /// The total rank if none is given: the number nearest to ``usualRank`` with which each task without a rank of
  /// its own has the same share, at least one column; of two that are equally near, the larger.
  ///
  /// - Parameter ranks: for each task, its number of columns, or `nil` for an equal share of the rest.
  package static func defaultTotal(ranks: [Int?]) -> Int {
    let given = ranks.compactMap(\.self).reduce(0, +)
    let open = ranks.count { $0 == nil }
    guard open > 0 else { return given }
    // Half up, so that the larger of two wins.
    let share = max(1, (2 * (usualRank - given) + open) / (2 * open))
    return given + share * open
  }

  /// The columns of a task.
  ///
  /// - Precondition: `task` is one of `tasks`.
  package subscript(task: String) -> Range<Int> {
    guard let i = position[task] else { preconditionFailure("'\(task)' has no block") }
    return ranges[i]
  }

  /// Every task with its columns, in file order.
  package var blocks: [(task: String, columns: Range<Int>)] {
    zip(tasks, ranges).map { (task: $0, columns: $1) }
  }

  /// The task to which a column belongs.
  ///
  /// - Precondition: `column` is in `0..<rank`.
  package func task(ofColumn column: Int) -> String {
    guard let i = ranges.firstIndex(where: { $0.contains(column) }) else {
      preconditionFailure("column \(column) is outside 0..<\(rank)")
    }
    return tasks[i]
  }

  /// Numbers joined by "or", for messages: `8 or 12`.
  static func choice(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: " or ")
  }
}
