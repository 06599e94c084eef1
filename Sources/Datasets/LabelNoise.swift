import SeededRandom

/// Wrong gold answers in a share of the episodes, to measure what they do.
package enum LabelNoise {
  /// Replaces the gold answers of a share of the episodes by wrong options, independently for each task. The other
  /// tasks' answers stay. A larger share has the wrong answers of a smaller one and more.
  ///
  /// - Parameters:
  ///   - noise: by task, the share, 0...1.
  ///   - tasks: all tasks, in an order that decides each one's random numbers.
  package static func add(
    _ noise: [String: Double], to episodes: inout [Episode], tasks: [String], seed: UInt64
  ) {
    for (index, task) in tasks.enumerated() {
      guard let share = noise[task], share > 0 else { continue }
      var generator = SeededGenerator(seed: seed, stream: UInt64(index) + 1)
      for place in episodes.indices {
        guard let item = episodes[place].tasks[task], let truth = item.answerIndex, item.options.count > 1
        else { continue }
        // Both numbers are always drawn, so that a larger share flips the same episodes and more.
        let chance = generator.unit()
        let step = 1 + generator.below(item.options.count - 1)
        guard chance < share else { continue }
        episodes[place].tasks[task] = item.answered(with: (truth + step) % item.options.count)
      }
    }
  }
}
