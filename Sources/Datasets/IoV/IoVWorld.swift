import InputErrors
import SeededRandom
/// Generates the `iov` data (Internet of Vehicles): road scenes with four tasks that build on one another.
///
/// | task | reads | and the answers of | answers |
/// |---|---|---|---|
/// | `perceive` | `scene`: a camera caption with three agents | – | which agent is the hazard |
/// | `predict` | `motion`: how each of the three agents moves | `perceive` | what the hazard does next |
/// | `decide` | `conditions`: traffic light, road surface, left lane | `perceive`, `predict` | the manoeuvre |
/// | `route` | `request` (spoken), `v2x` (a road message) | `decide` | what is done about the trip |
///
/// No task's own inputs repeat what its parents found out: `motion` tells of three agents and not which one
/// matters, `conditions` names no agent, and `v2x` closes a lane without saying which one the car will be in.
/// The answers follow from `IoVRules`; the wording, the order of sentences and the options are drawn.
package enum IoVWorld {
  /// The tasks with what they read, in topological order.
  package static let tasks = [
    DatasetTask(name: "perceive", inputs: ["scene"]),
    DatasetTask(name: "predict", inputs: ["motion"], parents: ["perceive"]),
    DatasetTask(name: "decide", inputs: ["conditions"], parents: ["perceive", "predict"]),
    DatasetTask(name: "route", inputs: ["request", "v2x"], parents: ["decide"]),
  ]

  /// The most episodes one call makes: more would use up the wordings, which are never repeated.
  package static let maximumEpisodes = 10_000

  /// Generates episodes. For each task, no two of them have the same texts for the task's own inputs, so any
  /// cut into training and test data keeps the two apart.
  ///
  /// - Parameters:
  ///   - episodes: How many.
  ///   - seed: Equal seeds give equal episodes.
  ///   - noise: For a task, the share of episodes (0…1) in which its recorded answer is replaced by a wrong
  ///     option; absent tasks stay clean. Nothing else changes with it: the other tasks' answers are those of
  ///     the true world. To keep the test data clean, use `splits(episodes:seed:noise:)`.
  /// - Throws: `IoVError` if more than `maximumEpisodes` are asked for or `noise` names an unknown task or a
  ///   share outside 0…1.
  package static func generate(
    episodes count: Int, seed: UInt64, noise: [String: Double] = [:]
  ) throws(IoVError) -> [Episode] {
    try check(count: count, from: 0, noise: noise)
    var generator = SeededGenerator(seed: seed)
    var used: [String: Set<[String]>] = [:]
    var episodes: [Episode] = []
    episodes.reserveCapacity(count)
    while episodes.count < count {
      let scene = IoVScene(from: &generator)
      let texts = scene.inputs(from: &generator)
      let keys = tasks.map { task in (task.name, task.inputs.compactMap { texts[$0] }) }
      if keys.contains(where: { used[$0.0]?.contains($0.1) ?? false }) { continue }
      for (task, key) in keys { used[task, default: []].insert(key) }
      let number = String(episodes.count)
      let id = "iov-" + String(repeating: "0", count: max(0, 6 - number.count)) + number
      episodes.append(Episode(id: id, inputs: texts, tasks: scene.items(from: &generator)))
    }
    addNoise(noise, to: &episodes, seed: seed)
    return episodes
  }

  /// Generates episodes and cuts them into 80 % train, 10 % valid, 10 % test. Noise, if asked for, is put into
  /// the training episodes alone, so that the figures are measured against the truth.
  ///
  /// - Throws: `IoVError` as `generate(episodes:seed:noise:)`, and for fewer than 10 episodes.
  package static func splits(
    episodes count: Int, seed: UInt64, noise: [String: Double] = [:]
  ) throws(IoVError) -> DatasetSplits {
    try check(count: count, from: 10, noise: noise)
    var splits = DatasetSplits(cutting: try generate(episodes: count, seed: seed))
    addNoise(noise, to: &splits.train, seed: seed)
    return splits
  }

  /// The accuracy that no guesser can expect to exceed on clean data if it reads all of a task's own inputs
  /// and options but not its parents' answers, by task; computed exactly from the world's frequencies.
  package static func oracleWithoutParents() -> [String: Double] {
    IoVOracle.accuracyWithoutParents()
  }

  private static func check(count: Int, from least: Int, noise: [String: Double]) throws(IoVError) {
    guard (least...maximumEpisodes).contains(count) else {
      throw .episodes(count, allowed: least...maximumEpisodes)
    }
    for (task, share) in noise.sorted(by: { $0.key < $1.key }) {
      guard tasks.contains(where: { $0.name == task }) else { throw .unknownTask(task) }
      guard (0...1).contains(share) else { throw .noiseOutsideRange(task: task, share: share) }
    }
  }

  private static func addNoise(_ noise: [String: Double], to episodes: inout [Episode], seed: UInt64) {
    for (index, task) in tasks.enumerated() {
      guard let share = noise[task.name], share > 0 else { continue }
      var generator = SeededGenerator(seed: seed, stream: UInt64(index) + 1)
      for place in episodes.indices {
        guard let item = episodes[place].tasks[task.name], let truth = item.answerIndex else { continue }
        // Both numbers are drawn whether used or not: a larger share flips the same episodes and more.
        let chance = generator.unit()
        let step = 1 + generator.below(item.options.count - 1)
        guard chance < share else { continue }
        episodes[place].tasks[task.name] = item.answered(with: (truth + step) % item.options.count)
      }
    }
  }
}

/// Why `iov` data cannot be generated.
package enum IoVError: InputError, Equatable {
  /// The number of episodes is outside the allowed range.
  case episodes(Int, allowed: ClosedRange<Int>)
  /// Noise was asked for in a task that the world does not have.
  case unknownTask(String)
  /// A share of noise lies outside 0…1.
  case noiseOutsideRange(task: String, share: Double)

  /// One line: what is wrong and the remedy.
  package var description: String {
    switch self {
    case .episodes(let count, let allowed):
      "episodes: \(count) cannot be made; use a number from \(allowed.lowerBound) to \(allowed.upperBound)"
    case .unknownTask(let task):
      "noise: the iov data has no task \"\(task)\"; use perceive, predict, decide or route"
    case .noiseOutsideRange(let task, let share):
      "noise: \(share) for \"\(task)\" is not a share; use a number from 0 to 1"
    }
  }
}
