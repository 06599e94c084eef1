import Datasets
import InputErrors
import SeededRandom

/// How hard the scenes are.
package enum IoVDifficulty: Int, CaseIterable, Sendable {
  /// Every passenger wants the fastest route.
  case plain = 1
  /// A third of the passengers refuses a street.
  case usual = 2
  /// Half of the passengers refuses a street, most scenes have a fourth neighbour, and travel times are listed by
  /// lane, not by manoeuvre.
  case hard = 3

  /// The share of passengers that refuse a street.
  var refusals: Double {
    switch self {
    case .plain: 0
    case .usual: 1.0 / 3
    case .hard: 0.5
    }
  }

  var hasFourthNeighbour: Bool { self == .hard }
}

/// Generates the `iov` data (Internet of Vehicles) from states that the traffic simulator SUMO computed.
///
/// | task | own inputs | parents | answer |
/// |---|---|---|---|
/// | `perceive` | `scene`: where the neighbours are | – | which one is ahead in our lane: the hazard |
/// | `predict` | `motion`: signals and speed of each neighbour | `perceive` | what the hazard does next, as simulated |
/// | `decide` | `conditions`: signal, surface, left lane | `perceive`, `predict` | the manoeuvre |
/// | `route` | `request` (spoken), `roads`: which ways are fast now | `decide` | the fastest route that remains |
///
/// No task's own inputs repeat its parents' answers: `motion` describes every neighbour but not which one matters,
/// `conditions` names none, and `roads` lists routes for each manoeuvre without saying which one applies.
/// Of ten simulated worlds, one is for validation and two are for the test.
package struct IoVWorld: BenchmarkWorld {
  package let name = "iov"
  package let difficulty: IoVDifficulty
  private let train: IoVDistribution
  private let valid: IoVDistribution
  private let test: IoVDistribution

  package static let tasks = [
    DatasetTask(name: "perceive", inputs: ["scene"]),
    DatasetTask(name: "predict", inputs: ["motion"], parents: ["perceive"]),
    DatasetTask(name: "decide", inputs: ["conditions"], parents: ["perceive", "predict"]),
    DatasetTask(name: "route", inputs: ["request", "roads"], parents: ["decide"]),
  ]

  package var tasks: [DatasetTask] { Self.tasks }

  /// The world of the states that are part of the program.
  ///
  /// - Throws: `Refusal` if the program was built with a damaged file.
  package init(difficulty: IoVDifficulty = .usual) throws(Refusal) {
    try self.init(
      states: SumoStateFile.shipped(), path: SumoStateFile.shippedPath, difficulty: difficulty)
  }

  /// - Parameters:
  ///   - states: as read by `SumoStateFile`; `path` is the file's name in messages.
  ///   - difficulty: how hard the scenes are.
  /// - Throws: `Refusal` if there are no usable states for each of the three splits.
  package init(states: [SumoState], path: String, difficulty: IoVDifficulty = .usual) throws(Refusal) {
    self.difficulty = difficulty
    let scenarios = states.compactMap(IoVScenario.init)
    let worlds = Set(scenarios.map(\.state.world)).sorted()
    var shares: [Share: [IoVScenario]] = [:]
    let share = Dictionary(uniqueKeysWithValues: worlds.enumerated().map { ($1, Share(place: $0)) })
    for scenario in scenarios {
      if let share = share[scenario.state.world] { shares[share, default: []].append(scenario) }
    }
    guard let train = shares[.train], let valid = shares[.valid], let test = shares[.test] else {
      throw Refusal(
        path, "has usable states of \(worlds.count) worlds, but training, validation and test need 3",
        SumoStateFile.advice)
    }
    self.train = IoVDistribution(train)
    self.valid = IoVDistribution(valid)
    self.test = IoVDistribution(test)
  }

  /// The split to which a world belongs.
  private enum Share {
    case train, valid, test

    /// - Parameter place: the world's index among those with usable states.
    init(place: Int) {
      switch place % 10 {
      case 1: self = .valid
      case 2, 7: self = .test
      default: self = .train
      }
    }
  }

  package var accuracyWithoutParents: [String: Double] {
    // The test worlds are few, so that frequencies differ a little from those of the training worlds.
    [train, test].map { IoVOracle.accuracyWithoutParents(knowing: train, on: $0, difficulty: difficulty) }
      .reduce(into: [:]) { $0.merge($1, uniquingKeysWith: max) }
  }

  package func splits(
    episodes count: Int, seed: UInt64, noise: [String: Double] = [:]
  ) throws -> DatasetSplits {
    try check(episodes: count, allowed: 10...maximumEpisodesOfWorlds, noise: noise)
    let tenth = max(1, count / 10)
    var maker = EpisodeMaker(seed: seed, difficulty: difficulty)
    let train = try maker.episodes(count - 2 * tenth, from: train)
    let valid = try maker.episodes(tenth, from: valid)
    let test = try maker.episodes(tenth, from: test)
    var splits = DatasetSplits(train: train, valid: valid, test: test)
    LabelNoise.add(noise, to: &splits.train, tasks: tasks.map(\.name), seed: seed)
    return splits
  }

  /// Makes episodes whose texts are new.
  private struct EpisodeMaker {
    var generator: SeededGenerator
    let difficulty: IoVDifficulty
    var used: [String: Set<[String]>] = [:]
    var number = 0
    /// How often a moment is put into words before it is given up.
    private static let attempts = 20

    init(seed: UInt64, difficulty: IoVDifficulty) {
      generator = SeededGenerator(seed: seed)
      self.difficulty = difficulty
    }

    mutating func episodes(_ count: Int, from distribution: IoVDistribution) throws -> [Episode] {
      var episodes: [Episode] = []
      var repetitions = 0
      while episodes.count < count {
        let draw = distribution.draw(from: &generator)
        // Other words are tried before another moment is drawn, so that moments stay as frequent as they are drawn.
        var found: (scene: IoVScene, texts: [String: String], keys: [(String, [String])])?
        for _ in 0..<Self.attempts where found == nil {
          let scene = IoVScene(draw, difficulty: difficulty, from: &generator)
          let texts = scene.inputs(from: &generator)
          let keys = IoVWorld.tasks.map { task in (task.name, task.inputs.compactMap { texts[$0] }) }
          if !keys.contains(where: { used[$0.0]?.contains($0.1) ?? false }) { found = (scene, texts, keys) }
        }
        guard let (scene, texts, keys) = found else {
          repetitions += 1
          guard repetitions < 1000 + count else {
            throw Refusal(
              "episodes", "the states have no more than \(number) different texts",
              "use fewer episodes or a file with more states")
          }
          continue
        }
        for (task, key) in keys { used[task, default: []].insert(key) }
        let digits = String(number)
        let id = "iov-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        episodes.append(Episode(id: id, inputs: texts, tasks: scene.items(from: &generator)))
        number += 1
      }
      return episodes
    }
  }
}
