import Datasets
import InputErrors
import SeededRandom
/// Generates the `iov` data (Internet of Vehicles): road scenes with four tasks that depend on each other.
///
/// | task | own inputs | parents | answer |
/// |---|---|---|---|
/// | `perceive` | `scene`: a camera caption with three agents | – | which agent is the hazard |
/// | `predict` | `motion`: how each of the three agents moves | `perceive` | what the hazard does next |
/// | `decide` | `conditions`: traffic light, surface, left lane | `perceive`, `predict` | the manoeuvre |
/// | `route` | `request` (spoken), `v2x` (a road message) | `decide` | the action on the trip |
///
/// No task's own inputs repeat its parents' answers: `motion` describes three agents but not which one
/// matters, `conditions` names no agent, and `v2x` closes a lane without saying in which one the car will be.
/// The answers follow from `IoVRules`; the wording and the order of sentences and options are random.
package enum IoVWorld {
  /// The tasks with their inputs and parents, in topological order.
  package static let tasks = [
    DatasetTask(name: "perceive", inputs: ["scene"]),
    DatasetTask(name: "predict", inputs: ["motion"], parents: ["perceive"]),
    DatasetTask(name: "decide", inputs: ["conditions"], parents: ["perceive", "predict"]),
    DatasetTask(name: "route", inputs: ["request", "v2x"], parents: ["decide"]),
  ]

  /// The maximum number of episodes per call. More would run out of wordings, which are never repeated.
  package static let maximumEpisodes = 10_000

  /// Generates episodes. No two of them have the same texts for the own inputs of any task, so every split
  /// into training and test data is free of overlap.
  ///
  /// - Parameters:
  ///   - episodes: the number of episodes.
  ///   - seed: equal seeds give equal episodes.
  ///   - noise: for a task, the share of episodes in `0...1` in which its gold answer is replaced by a wrong
  ///     option. Tasks that are not listed stay clean. Nothing else changes: the other tasks' answers still
  ///     follow from the facts. To keep the test data clean, use `splits(episodes:seed:noise:)`.
  /// - Throws: `WorldError` if the number of episodes is above `maximumEpisodes`, or `noise` has an unknown
  ///   task or a share outside `0...1`.
  package static func generate(
    episodes count: Int, seed: UInt64, noise: [String: Double] = [:]
  ) throws(WorldError) -> [Episode] {
    try IoVBenchmark().check(episodes: count, allowed: 0...maximumEpisodes, noise: noise)
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
    LabelNoise.add(noise, to: &episodes, tasks: tasks.map(\.name), seed: seed)
    return episodes
  }

  /// Generates episodes and splits them into 80 % train, 10 % valid and 10 % test. Noise is added only to the
  /// training episodes, so that accuracy is measured against the true answers.
  ///
  /// - Throws: `WorldError` as for `generate(episodes:seed:noise:)`, and for fewer than 10 episodes.
  package static func splits(
    episodes count: Int, seed: UInt64, noise: [String: Double] = [:]
  ) throws(WorldError) -> DatasetSplits {
    try IoVBenchmark().check(episodes: count, allowed: 10...maximumEpisodes, noise: noise)
    var splits = DatasetSplits(cutting: try generate(episodes: count, seed: seed))
    LabelNoise.add(noise, to: &splits.train, tasks: tasks.map(\.name), seed: seed)
    return splits
  }

  /// For each task, the best possible expected accuracy on clean data when reading all of the task's own
  /// inputs and options but not its parents' answers. Computed exactly from the distribution.
  package static func oracleWithoutParents() -> [String: Double] {
    IoVOracle.accuracyWithoutParents()
  }
}
