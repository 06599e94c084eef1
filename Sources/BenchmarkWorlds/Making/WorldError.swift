import InputErrors

/// Why data of a simulated world cannot be generated.
package enum WorldError: InputError, Equatable {
  /// A number is outside the permitted range.
  case outside(String, Int, allowed: ClosedRange<Int>)
  /// `noise` has a task that does not exist.
  case unknownTask(String, world: String, tasks: [String])
  /// A share of noise is outside `0...1`.
  case noiseOutsideRange(task: String, share: Double)

  /// One line with the problem and the fix.
  package var description: String {
    switch self {
    case .outside(let what, let number, let allowed):
      "\(what): \(number) is not possible; use a number from \(allowed.lowerBound) to \(allowed.upperBound)"
    case .unknownTask(let task, let world, let tasks):
      "noise: the \(world) data has no task \"\(task)\"; use \(tasks.dropLast().joined(separator: ", ")) or "
        + (tasks.last ?? "")
    case .noiseOutsideRange(let task, let share):
      "noise: \(share) for \"\(task)\" is not a share; use a number from 0 to 1"
    }
  }
}
