import ContextLoRA
import TaskGraph
import Testing

/// The learning rate of columns that train together.
struct SharedRateTests {
  private func phases(_ ratio: Double) throws -> [Phase] {
    let graph = try TaskDependencyGraph([
      (name: "a", parents: []), (name: "b", parents: ["a"]), (name: "c", parents: ["b"]),
    ])
    let schedule = try PhaseSchedule(
      graph: graph, blocks: RankBlocks(tasks: graph.tasks, rank: 12), frozenRatio: ratio)
    return (0..<schedule.count).map { schedule[$0] }
  }

  @Test("columns that train together share the rate of the task's own", arguments: [0, 0.5, 1])
  func shared(ratio: Double) throws {
    var options = TrainingOptions()
    options.learningRate = LearningRateSchedule(peak: 3)
    let pace = PhasePace(planned: 10, cooldown: 0)
    for (index, phase) in try phases(ratio).enumerated() {
      options.sharesRate = false
      #expect(options.rate(step: 1, pace, of: phase) == 3)
      options.sharesRate = true
      // A block has 4 columns, and there is one more prerequisite from phase to phase.
      let trained = 4 + Double(index) * 4 * (1 - ratio)
      #expect(abs(options.rate(step: 1, pace, of: phase) - 3 * 4 / trained) < 1e-12)
    }
  }
}
