import InputErrors

/// An error in a task graph, its rank blocks or its phases.
///
/// `description` is one line with the problem and the fix.
package enum TaskGraphError: Error, Sendable, Equatable {
  /// There are no tasks.
  case noTasks
  /// The task at `position` (from 0) has an empty name.
  case emptyName(position: Int)
  /// Two tasks have the same name.
  case duplicateTask(String)
  /// A parent is not a task. `nearest` is the most similar known name, `known` all names.
  case unknownParent(task: String, parent: String, nearest: String?, known: [String])
  /// A task lists the same parent twice.
  case duplicateParent(task: String, parent: String)
  /// A task is its own parent.
  case selfEdge(String)
  /// Tasks that depend on each other, in the direction of the edges. The first name is repeated at the end.
  case cycle([String])
  /// The rank cannot be divided equally. `nearest` contains the nearest ranks that can.
  case rankDoesNotDivide(rank: Int, tasks: Int, nearest: [Int])
  /// The rank that is left after the given ranks cannot be divided equally among the remaining tasks.
  case remainderDoesNotDivide(rank: Int, given: Int, tasks: [String], nearest: [Int])
  /// The tasks' ranks do not add up to the total.
  case rankSum(sum: Int, rank: Int)
  /// A rank is outside `1...RankBlocks.maximumRank`; `task` is `nil` for the total.
  case rankOutOfRange(task: String?, rank: Int)
  /// The tasks' own ranks add up to more than the limit.
  case rankSumOutOfRange(Int)
  /// The frozen ratio δ is not a number in `0...1`.
  case frozenRatioOutOfRange(Double)
  /// The number of rounds is below 1 or above the limit.
  case roundsOutOfRange(Int)
  /// The importance of a column is not a finite number.
  case importanceNotFinite(column: Int)

  /// What is wrong, without the fix.
  package var problem: String {
    switch self {
    case .noTasks:
      "there are no tasks"
    case .emptyName(let position):
      "task number \(position + 1) has an empty name"
    case .duplicateTask(let name):
      "there are two tasks named '\(name)'"
    case .unknownParent(let task, let parent, _, _):
      "task '\(task)' has the parent '\(parent)', which is not a task"
    case .duplicateParent(let task, let parent):
      "task '\(task)' lists the parent '\(parent)' twice"
    case .selfEdge(let name):
      "task '\(name)' is its own parent"
    case .cycle(let names):
      "the tasks form a cycle: \(names.joined(separator: " -> "))"
    case .rankDoesNotDivide(let rank, let tasks, _):
      "rank \(rank) does not divide evenly among \(tasks) tasks"
    case .remainderDoesNotDivide(let rank, let given, let tasks, _):
      "rank \(rank) minus the \(given) given to single tasks leaves \(rank - given), which does not divide "
        + "evenly among the tasks without a rank (\(tasks.joined(separator: ", ")))"
    case .rankSum(let sum, let rank):
      "the ranks of the tasks add up to \(sum), but the total rank is \(rank)"
    case .rankOutOfRange(let task, let rank):
      (task.map { "task '\($0)' has the rank \(rank)" } ?? "the rank is \(rank)")
        + ", outside 1...\(RankBlocks.maximumRank)"
    case .rankSumOutOfRange(let sum):
      "the tasks' ranks add up to \(sum) columns, more than \(RankBlocks.maximumRank)"
    case .frozenRatioOutOfRange(let ratio):
      "the frozen ratio \(ratio) is outside 0...1"
    case .roundsOutOfRange(let rounds):
      "\(rounds) rounds are outside 1...\(PhaseSchedule.maximumRounds)"
    case .importanceNotFinite(let column):
      "the importance of rank column \(column) is not a finite number"
    }
  }

  /// What to do about it.
  package var remedy: String {
    switch self {
    case .noTasks:
      "list at least one task"
    case .emptyName:
      "give it a name"
    case .duplicateTask:
      "rename one of them"
    case .unknownParent(_, _, let nearest?, _):
      "did you mean '\(nearest)'?"
    case .unknownParent(_, _, nil, let known):
      "use one of: \(known.joined(separator: ", "))"
    case .duplicateParent:
      "list it once"
    case .selfEdge:
      "remove it from its own parents"
    case .cycle:
      "remove one of these edges"
    case .rankDoesNotDivide(_, _, let nearest):
      "use \(RankBlocks.choice(nearest)), or give each task its own rank"
    case .remainderDoesNotDivide(_, _, _, let nearest):
      "use a total rank of \(RankBlocks.choice(nearest)), or give every task its own rank"
    case .rankSum(let sum, _):
      "use a total rank of \(sum), leave the total out, or change the tasks' ranks"
    case .rankOutOfRange:
      "use a whole number of columns in that range"
    case .rankSumOutOfRange:
      "give tasks fewer columns"
    case .frozenRatioOutOfRange:
      "give a share between 0 (refine all prerequisite columns) and 1 (freeze all)"
    case .roundsOutOfRange:
      "use a number in that range"
    case .importanceNotFinite:
      "training has diverged; lower the learning rate and go back to an earlier checkpoint"
    }
  }
}

extension TaskGraphError: InputError {
  /// One line with the problem and the fix.
  package var description: String { "\(problem); \(remedy)" }
}
