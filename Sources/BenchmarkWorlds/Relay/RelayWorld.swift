import Datasets
import SeededRandom

/// The `chain`, `tree` and `diamond` data: wagons pass from station to station, to measure how a method scales with the
/// number of tasks.
///
/// Each task asks on which of three tracks the wagon leaves a station. The first station reads where it arrives. Each
/// other one reads the position of its handle, or, with two parents, which of their wagons leaves. What a handle does
/// differs from station to station and is never said, so each task must learn a rule of its own, and the tasks' rules
/// contradict one another. The answers follow from `RelayRules`.
package struct RelayWorld: DraftedWorld {
  /// The shape of the graph.
  package let shape: RelayShape
  /// The number of tasks.
  package let count: Int
  /// How much the texts say beside what matters.
  package let difficulty: Difficulty

  /// - Throws: `WorldError` if the shape cannot have `count` tasks.
  package init(_ shape: RelayShape, tasks count: Int, difficulty: Difficulty) throws(WorldError) {
    guard shape.sizes.contains(count) else { throw .outside("tasks", count, allowed: shape.sizes) }
    (self.shape, self.count, self.difficulty) = (shape, count, difficulty)
  }

  package var name: String { shape.rawValue }

  package var tasks: [DatasetTask] {
    (0..<count).map { index in
      DatasetTask(
        name: RelayLanguage.stations[index], inputs: ["\(RelayLanguage.stations[index]) log"],
        parents: shape.parents(of: index).map { RelayLanguage.stations[$0] })
    }
  }

  /// Whatever the handle or the call, the three tracks lead to three different ones, so each is left on equally often, as
  /// its parent's is. The tracks of two parents depend on each other, because both had the same wagon, but the answer
  /// follows from one of them alone.
  package var accuracyWithoutParents: [String: Double] {
    var limits: [String: Double] = [:]
    for (index, task) in tasks.enumerated() {
      switch task.parents.count {
      case 0: limits[task.name] = 1
      case 1:
        let situations = Track.allCases.flatMap { track in Handle.allCases.map { (track, $0) } }
        limits[task.name] = Limit.accuracy(
          situations, reading: \.1,
          answer: { RelayRules.departure(station: index, arrival: $0.0, handle: $0.1) })
      default:
        let pairs = Track.allCases.flatMap { first in Track.allCases.map { [first, $0] } }
        let situations = pairs.flatMap { [($0, 0), ($0, 1)] }
        limits[task.name] = Limit.accuracy(
          situations, reading: \.1,
          answer: { RelayRules.departure(station: index, called: $0.0[$0.1]) })
      }
    }
    return limits
  }

  package func draft(from generator: inout SeededGenerator) -> Draft {
    var tracks: [Track] = []
    var draft = Draft(inputs: [:], items: [:])
    for (index, task) in tasks.enumerated() {
      let phrases: [String]
      let parents = shape.parents(of: index)
      switch parents.count {
      case 0:
        tracks.append(generator.pick(Track.allCases))
        phrases = RelayLanguage.arrival(tracks[0])
      case 1:
        let handle = generator.pick(Handle.allCases)
        tracks.append(RelayRules.departure(station: index, arrival: tracks[parents[0]], handle: handle))
        phrases = RelayLanguage.handle(handle)
      default:
        let called = generator.pick(parents)
        tracks.append(RelayRules.departure(station: index, called: tracks[called]))
        phrases = RelayLanguage.call(RelayLanguage.stations[called])
      }
      let clauses =
        [generator.pick(phrases)]
        + RelayLanguage.remarks.shuffled(by: &generator).prefix(difficulty.remarks)
      draft.inputs["\(task.name) log"] =
        "\(Wording.time(from: &generator)), wagon \(100 + generator.below(900)): "
        + clauses.shuffled(by: &generator).joined(separator: ", ") + "."
      draft.items[task.name] = Wording.item("Which track?", tracks[index], from: &generator)
    }
    return draft
  }

  /// Counts the changes after which the same arguments give other episodes.
  private static let rules = 2

  /// A workflow file for the data, which is in the same folder.
  package var workflow: String {
    var lines = [
      "# \(count) stations that pass wagons on, by rules \(Self.rules).",
      "# Made with the data beside it, which must stay in this folder.",
      "name: \(name)-\(count)", "model: smollm2-135m", "data: .", "system: \"\"", "tasks:",
    ]
    for task in tasks {
      lines += [
        "  - name: \(task.name)",
        "    instruction: Say on which track the wagon leaves \(task.name).",
        "    inputs: [\(task.inputs.joined(separator: ", "))]",
      ]
      if !task.parents.isEmpty { lines.append("    parents: [\(task.parents.joined(separator: ", "))]") }
    }
    lines += [
      "lora: {rank: \(8 * count), alpha: 96}",
      "training:",
      "  steps: 120", "  batchSize: 4", "  microBatchSamples: 2", "  learningRate: 1e-3", "  cooldown: 0.6",
      "  frozenRatio: 1", "  blockStart: base", "  answerForm: text", "  validateEvery: 20",
      "  validationEpisodes: 40", "  patience: 3",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}
