import Datasets
import SeededRandom

/// Wrong gold answers in a share of the episodes.
enum EpisodeNoise {
  /// - Throws: `IoVError` if a task is unknown or a share is outside `0...1`.
  static func check(_ noise: [String: Double], tasks: [DatasetTask], world: String) throws(IoVError) {
    for (task, share) in noise.sorted(by: { $0.key < $1.key }) {
      guard tasks.contains(where: { $0.name == task }) else { throw .unknownTask(task) }
      guard (0...1).contains(share) else { throw .noiseOutsideRange(task: task, share: share) }
    }
  }

  /// Replaces the gold answers of a share of the episodes by wrong options, independently for each task.
  static func add(
    _ noise: [String: Double], to episodes: inout [Episode], tasks: [DatasetTask], seed: UInt64
  ) {
    for (index, task) in tasks.enumerated() {
      guard let share = noise[task.name], share > 0 else { continue }
      var generator = SeededGenerator(seed: seed, stream: UInt64(index) + 1)
      for place in episodes.indices {
        guard let item = episodes[place].tasks[task.name], let truth = item.answerIndex else { continue }
        // Both numbers are always drawn, so that a larger share flips the same episodes and more.
        let chance = generator.unit()
        let step = 1 + generator.below(item.options.count - 1)
        guard chance < share else { continue }
        episodes[place].tasks[task.name] = item.answered(with: (truth + step) % item.options.count)
      }
    }
  }
}
