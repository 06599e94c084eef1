import Datasets
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

extension BenchmarkWorld {
  /// Checks what a data set of this world is asked for.
  ///
  /// - Throws: `WorldError` if the number of episodes, a task or a share of noise is not possible.
  func check(
    episodes count: Int, allowed: ClosedRange<Int>, noise: [String: Double] = [:]
  ) throws(WorldError) {
    guard allowed.contains(count) else { throw .outside("episodes", count, allowed: allowed) }
    for (task, share) in noise.sorted(by: { $0.key < $1.key }) {
      guard tasks.contains(where: { $0.name == task }) else {
        throw .unknownTask(task, world: name, tasks: tasks.map(\.name))
      }
      guard (0...1).contains(share) else { throw .noiseOutsideRange(task: task, share: share) }
    }
  }
}
