import BenchmarkWorlds
import Datasets
import Foundation
import TestSupport
import Testing

/// FNV-1a, to pin episodes without a fixture file.
private func fingerprint(_ episodes: [Episode]) -> UInt64 {
  let lines = episodes.map { episode in
    let items = episode.tasks.sorted { $0.key < $1.key }.map { name, item in
      "\(name): \(item.question) \(item.options) \(item.answerText)"
    }
    return
      "\(episode.id) \(episode.inputs.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }) \(items)"
  }
  return lines.joined(separator: "\n").utf8.reduce(0xcbf2_9ce4_8422_2325) {
    ($0 ^ UInt64($1)) &* 0x100_0000_01b3
  }
}

/// What holds for every world that is made from drafts.
@Suite struct WorldTests {
  static let worlds: [any DraftedWorld] = [1, 3].flatMap { level -> [any DraftedWorld] in
    guard let difficulty = try? Difficulty(level) else { return [] }
    let relays = [(RelayShape.chain, 5), (.tree, 7), (.diamond, 8), (.diamond, 4), (.chain, 24)]
    return [IndustryWorld(difficulty: difficulty), CityWorld(difficulty: difficulty)]
      + relays.compactMap { try? RelayWorld($0, tasks: $1, difficulty: difficulty) }
  }

  @Test func allWorldsAreTested() {
    #expect(Self.worlds.count == 14)
  }

  @Test(arguments: worlds.indices) func sameSeedSameEpisodes(_ index: Int) throws {
    let world = Self.worlds[index]
    let episodes = try world.generate(episodes: 60, seed: 7)
    #expect(try world.generate(episodes: 60, seed: 7) == episodes)
    #expect(try world.generate(episodes: 60, seed: 8) != episodes)
    #expect(try world.generate(episodes: 20, seed: 7) == Array(episodes.prefix(20)))
    #expect(try world.generate(episodes: 0, seed: 7).isEmpty)
  }

  /// Earlier data must stay reproducible: a change of these numbers is a change of the data sets.
  @Test func dataStaysTheSame() throws {
    let found = try Self.worlds[..<7].map { fingerprint(try $0.generate(episodes: 50, seed: 7)) }
    #expect(
      found == [
        11_804_411_705_022_719_665, 13_018_890_127_853_685_653, 972_376_746_952_648_250,
        4_748_951_822_049_694_505,
        5_585_866_535_201_488_729, 7_578_639_931_198_849_015, 6_982_101_974_081_382_498,
      ])
  }

  @Test(arguments: worlds.indices) func itemsAreWellFormed(_ index: Int) throws {
    let world = Self.worlds[index]
    var options: [String: Set<Set<String>>] = [:]
    for episode in try world.generate(episodes: 200, seed: 5) {
      #expect(Set(episode.tasks.keys) == Set(world.tasks.map(\.name)))
      #expect(Set(episode.inputs.keys) == Set(world.tasks.flatMap(\.inputs)))
      for (task, item) in episode.tasks {
        options[task, default: []].insert(Set(item.options))
        #expect((3...6).contains(item.options.count) && Set(item.options).count == item.options.count)
        #expect(item.options.allSatisfy { (1...4).contains($0.split(separator: " ").count) })
      }
      // Short enough to train on a CPU: about 90 tokens.
      for task in world.tasks {
        #expect(task.inputs.reduce(0) { $0 + (episode.inputs[$1]?.count ?? 0) } < 250)
      }
      #expect(episode.inputs.values.allSatisfy { !$0.contains("  ") && !$0.contains("..") })
    }
    // All answers are always offered.
    #expect(options.values.allSatisfy { $0.count == 1 })
  }

  @Test(arguments: worlds.indices) func answersAndPlacesAreBalanced(_ index: Int) throws {
    let world = Self.worlds[index]
    let episodes = try world.generate(episodes: 1800, seed: 23)
    for task in world.tasks {
      let items = episodes.compactMap { $0.tasks[task.name] }
      let byText = Dictionary(items.map { ($0.answerText, 1) }, uniquingKeysWith: +)
      let byPlace = Dictionary(items.compactMap(\.answerIndex).map { ($0, 1) }, uniquingKeysWith: +)
      #expect(byText.count == items[0].options.count)
      #expect(try #require(byText.values.max()) < 1800 * 2 / 5, "\(task.name): \(byText)")
      #expect(try #require(byText.values.min()) > 1800 / 10, "\(task.name): \(byText)")
      let fair = 1800 / byPlace.count
      #expect(byPlace.values.allSatisfy { abs($0 - fair) < fair / 4 }, "\(task.name): \(byPlace)")
    }
  }

  @Test(arguments: worlds.indices) func splitsShareNoTexts(_ index: Int) throws {
    let world = Self.worlds[index]
    let splits = try world.splits(episodes: 600, seed: 3)
    #expect(splits.train.count == 480 && splits.valid.count == 60 && splits.test.count == 60)
    let all = splits.train + splits.valid + splits.test
    #expect(Set(all.map(\.id)).count == 600)
    for task in world.tasks {
      let texts = all.map { episode in task.inputs.map { episode.inputs[$0] } }
      #expect(Set(texts).count == 600, "\(task.name)")
    }
  }

  @Test func largestDataSetsCanBeMade() throws {
    for world in Self.worlds[..<3] {
      #expect(try world.generate(episodes: 10_000, seed: 1).count == 10_000)
    }
  }

  @Test(arguments: worlds.indices) func noiseFlipsOneTaskOfTrainOnly(_ index: Int) throws {
    let world = Self.worlds[index]
    let task = world.tasks[1].name
    let clean = try world.splits(episodes: 500, seed: 9)
    let noisy = try world.splits(episodes: 500, seed: 9, noise: [task: 0.2])
    let noisier = try world.splits(episodes: 500, seed: 9, noise: [task: 0.5])
    #expect(noisy.valid == clean.valid && noisy.test == clean.test)
    var flipped = 0
    for (truth, (some, more)) in zip(clean.train, zip(noisy.train, noisier.train)) {
      #expect(truth.inputs == some.inputs)
      for other in world.tasks where other.name != task {
        #expect(truth.tasks[other.name] == some.tasks[other.name])
      }
      #expect(truth.tasks[task]?.options == some.tasks[task]?.options)
      guard truth.tasks[task] != some.tasks[task] else { continue }
      flipped += 1
      #expect(some.tasks[task] == more.tasks[task])
    }
    #expect((50...110).contains(flipped))
    let all = try world.splits(episodes: 50, seed: 9, noise: [task: 1])
    #expect(
      zip(try world.splits(episodes: 50, seed: 9).train, all.train).allSatisfy {
        $0.tasks[task] != $1.tasks[task]
      })
  }

  @Test func refusesWhatItCannotMake() throws {
    let world = IndustryWorld(difficulty: try Difficulty())
    #expect(throws: WorldError.outside("episodes", 9, allowed: 10...10_000)) {
      try world.splits(episodes: 9, seed: 1)
    }
    #expect(throws: WorldError.outside("episodes", 10_001, allowed: 0...10_000)) {
      try world.generate(episodes: 10_001, seed: 1)
    }
    #expect(throws: WorldError.outside("difficulty", 0, allowed: 1...3)) { try Difficulty(0) }
    #expect(throws: WorldError.outside("tasks", 25, allowed: 2...24)) {
      try RelayWorld(.chain, tasks: 25, difficulty: Difficulty())
    }
    #expect(throws: WorldError.outside("tasks", 3, allowed: 4...24)) {
      try RelayWorld(.diamond, tasks: 3, difficulty: Difficulty())
    }
    #expect(
      WorldError.outside("tasks", 25, allowed: 2...24).description
        == "tasks: 25 is not possible; use a number from 2 to 24")
    for (noise, message) in [
      ("akt", 0.1): "noise: the industry data has no task \"akt\"; use diagnose, forecast, assess or act",
      ("act", 1.5): "noise: 1.5 for \"act\" is not a share; use a number from 0 to 1",
      ("act", Double.nan): "noise: nan for \"act\" is not a share; use a number from 0 to 1",
    ] as KeyValuePairs {
      let error = #expect(throws: WorldError.self) {
        try world.splits(episodes: 10, seed: 1, noise: [noise.0: noise.1])
      }
      #expect(error?.description == message)
    }
  }

  @Test(arguments: ["industry", "city"]) func exampleWorkflowNamesTheWorldsTasks(_ name: String) throws {
    let world = try #require(Self.worlds.first { $0.name == name })
    let url = Fixtures.packageRoot.appendingPathComponent("Examples/\(name).yaml")
    let yaml = try String(contentsOf: url, encoding: .utf8)
    let blocks = yaml.components(separatedBy: "  - name: ").dropFirst()
    try #require(blocks.count == world.tasks.count)
    for (task, block) in zip(world.tasks, blocks) {
      #expect(block.hasPrefix(task.name + "\n"))
      #expect(block.contains("inputs: [\(task.inputs.joined(separator: ", "))]\n"))
      #expect(block.contains("parents: [\(task.parents.joined(separator: ", "))]\n") == !task.parents.isEmpty)
    }
  }
}
