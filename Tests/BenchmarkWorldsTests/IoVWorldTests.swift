import BenchmarkWorlds
import Datasets
import Foundation
import InputErrors
import TestSupport
import Testing

/// The states that the package ships.
let shippedStates = Fixtures.packageRoot.appendingPathComponent("Sources/CTrafficStates/bologna.jsonl").path

private func world(_ difficulty: IoVDifficulty = .usual) throws -> IoVWorld {
  try IoVWorld(states: SumoStateFile.read(shippedStates), path: "states.jsonl", difficulty: difficulty)
}

private func all(_ splits: DatasetSplits) -> [Episode] { splits.train + splits.valid + splits.test }

private func gold(_ episode: Episode, _ task: String) throws -> String {
  try #require(episode.tasks[task]).answerText
}

@Suite struct IoVWorldTests {
  @Test func equalArgumentsGiveEqualData() throws {
    let world = try world()
    let first = try world.splits(episodes: 200, seed: 7, noise: [:])
    #expect(try world.splits(episodes: 200, seed: 7, noise: [:]) == first)
    #expect(try world.splits(episodes: 200, seed: 8, noise: [:]) != first)
    #expect(first.train.count == 160 && first.valid.count == 20 && first.test.count == 20)
  }

  @Test(arguments: IoVDifficulty.allCases) func answersFollowFromTheTexts(_ difficulty: IoVDifficulty)
    throws
  {
    for episode in all(try world(difficulty).splits(episodes: 900, seed: 41, noise: [:])) {
      let reading = IoVReading(episode: episode)
      let hazard = try reading.hazard()
      let prediction = try reading.prediction(of: hazard)
      let manoeuvre = try reading.manoeuvre(hazard: hazard, prediction: prediction)
      #expect(try gold(episode, "perceive") == hazard)
      #expect(try gold(episode, "predict") == prediction)
      #expect(try gold(episode, "decide") == manoeuvre)
      #expect(try gold(episode, "route") == reading.route(manoeuvre: manoeuvre))
    }
  }

  @Test func itemsAreWellFormed() throws {
    let tasks = IoVWorld.tasks
    var fourth = 0
    for difficulty in IoVDifficulty.allCases {
      for episode in all(try world(difficulty).splits(episodes: 300, seed: 5, noise: [:])) {
        #expect(Set(episode.tasks.keys) == Set(tasks.map(\.name)))
        #expect(Set(episode.inputs.keys) == Set(tasks.flatMap(\.inputs)))
        let counts = tasks.map { episode.tasks[$0.name]?.options.count ?? 0 }
        #expect(counts[0] == 3 || difficulty == .hard && counts[0] == 4)
        #expect(Array(counts.dropFirst()) == [3, 4, 4])
        fourth += counts[0] - 3
        for item in episode.tasks.values { #expect(Set(item.options).count == item.options.count) }
      }
    }
    #expect(fourth > 30)
  }

  /// The splits share no text of a task's own inputs, and describe different simulated worlds.
  @Test func splitsAreDisjoint() throws {
    let splits = try world().splits(episodes: 3000, seed: 3, noise: [:])
    let parts = [splits.train, splits.valid, splits.test]
    for task in IoVWorld.tasks {
      let texts = parts.map { Set($0.map { episode in task.inputs.map { episode.inputs[$0] ?? "" } }) }
      #expect(texts.map(\.count) == [2400, 300, 300])
      #expect(texts[0].isDisjoint(with: texts[1]) && texts[0].isDisjoint(with: texts[2]))
      #expect(texts[1].isDisjoint(with: texts[2]))
    }
  }

  /// Each split describes other worlds: here, every world has streets of its own.
  @Test func splitsDescribeDifferentWorlds() throws {
    let text = (0..<20).map { world in
      var line = SumoStateFileTests.line.replacing("\"world\":3", with: "\"world\":\(world)")
      for street in ["Costa", "XXI Aprile", "Prati Caprara", "Turati"] {
        line = line.replacing(street, with: "\(street) \(Character(UnicodeScalar(UInt8(97 + world))))")
      }
      return line
    }.joined(separator: "\n")
    let world = try IoVWorld(
      states: SumoStateFile.states(in: Data(text.utf8), path: "s"), path: "s", difficulty: .plain)
    let splits = try world.splits(episodes: 100, seed: 1, noise: [:])
    // The last letter of a street is its world's: worlds 1 and 11 are for validation, 2, 7, 12 and 17 for the test.
    let letters = [splits.train, splits.valid, splits.test].map { episodes in
      Set(episodes.flatMap { $0.tasks["route"]?.options ?? [] }.compactMap(\.last))
    }
    let tested: Set<Character> = ["c", "h", "m", "r"]
    #expect(letters[0] == Set("abcdefghijklmnopqrst").subtracting(tested).subtracting(["b", "l"]))
    #expect(letters[1] == ["b", "l"])
    #expect(letters[2].count > 2 && letters[2].isSubset(of: tested))
  }

  /// The worlds for validation and test are few. Whatever they lack, their manoeuvres are about as frequent as those of
  /// training, and so are moments in which a stop changes the route: who guesses finds no favourite.
  @Test func splitsHaveTheSameFrequencies() throws {
    let splits = try world().splits(episodes: 9000, seed: 5, noise: [:])
    func shares(_ episodes: [Episode]) throws -> [String: Double] {
      let cases = try episodes.map { episode in
        let reading = IoVReading(episode: episode)
        let changes = try reading.route(manoeuvre: "brake") != reading.route(manoeuvre: "follow")
        return "\(try gold(episode, "decide")), \(changes)"
      }
      return Dictionary(grouping: cases, by: { $0 }).mapValues { Double($0.count) / Double(cases.count) }
    }
    let train = try shares(splits.train)
    #expect(train.count == 8)
    for other in [try shares(splits.valid), try shares(splits.test)] {
      for (name, share) in train { #expect(abs(other[name, default: 0] - share) < 0.08, "\(name)") }
    }
  }

  /// In most episodes, another parent's answer, all else equal, changes the child's answer.
  @Test func childrenDependOnTheirParents() throws {
    var changed: [String: Int] = [:]
    var tried: [String: Int] = [:]
    func note(_ edge: String, _ isChanged: Bool) {
      tried[edge, default: 0] += 1
      if isChanged { changed[edge, default: 0] += 1 }
    }
    for episode in try world().splits(episodes: 1200, seed: 17, noise: [:]).train {
      let reading = IoVReading(episode: episode)
      let (hazard, prediction) = (try gold(episode, "perceive"), try gold(episode, "predict"))
      for wrong in try #require(episode.tasks["perceive"]).options where wrong != hazard {
        note("perceive-predict", try reading.prediction(of: wrong) != prediction)
        let alone = try reading.manoeuvre(hazard: wrong, prediction: prediction)
        note("perceive-decide", try alone != gold(episode, "decide"))
      }
      for wrong in try #require(episode.tasks["predict"]).options where wrong != prediction {
        let other = try reading.manoeuvre(hazard: hazard, prediction: wrong)
        note("predict-decide", try other != gold(episode, "decide"))
      }
      for wrong in try #require(episode.tasks["decide"]).options where try wrong != gold(episode, "decide") {
        note("decide-route", try reading.route(manoeuvre: wrong) != gold(episode, "route"))
      }
    }
    func share(_ edge: String) throws -> Double {
      Double(changed[edge, default: 0]) / Double(try #require(tried[edge]))
    }
    #expect(try share("perceive-predict") == 1)
    #expect(try share("perceive-decide") > 0.1)
    #expect(try share("predict-decide") > 0.6)
    #expect(try share("decide-route") > 0.6)
  }

  /// The answers cannot be guessed: no shortcut is far above chance, and the parents' answers are needed.
  @Test(arguments: [IoVDifficulty.usual, .hard]) func answersCannotBeGuessed(_ difficulty: IoVDifficulty)
    throws
  {
    let world = try world(difficulty)
    let splits = try world.splits(episodes: 3000, seed: 77, noise: [:])
    let oracle = world.accuracyWithoutParents
    let report = ShortcutBaselines.measure(
      train: splits.train, test: splits.test, tasks: world.tasks, oracleWithoutParents: oracle)
    // The vehicle in our lane is named by two adjacent words, which the word counter sees, too.
    let limits = ["perceive": 1, "predict": 0.6, "decide": 0.6, "route": 0.5]
    for row in report.tasks { #expect(row.bestShortcut < limits[row.task] ?? 0, "\(report.text)") }
    #expect(try #require(oracle["predict"]) < 0.6)
    #expect(try #require(oracle["decide"]) < 0.6)
    #expect(try #require(oracle["route"]) < 0.6)
  }

  /// The computed limit agrees with counting the most frequent answer for each combination of facts.
  @Test func oracleAgreesWithCounting() throws {
    let world = try world()
    let splits = try world.splits(episodes: 9000, seed: 123, noise: [:])
    /// The accuracy on test episodes, or those of training, of what is most frequent in training.
    func limits(_ facts: (IoVReading) throws -> (String, String)) throws -> (train: Double, test: Double) {
      var counts: [String: [String: Int]] = [:]
      for episode in splits.train {
        let (key, answer) = try facts(IoVReading(episode: episode))
        counts[key, default: [:]][answer, default: 0] += 1
      }
      func accuracy(_ episodes: [Episode]) throws -> Double {
        let right = try episodes.count { episode in
          let (key, answer) = try facts(IoVReading(episode: episode))
          return counts[key]?.max { $0.value < $1.value }?.key == answer
        }
        return Double(right) / Double(episodes.count)
      }
      return (try accuracy(splits.train), try accuracy(splits.test))
    }
    let decide = try limits { reading in
      let key =
        try reading.manoeuvre(hazard: "taxi", prediction: "turns off")
        + reading.manoeuvre(hazard: "taxi", prediction: "stops")
        + (reading.episode.inputs["conditions"] ?? "")
        .lowercased().split { !$0.isLetter }.filter { ["free", "empty", "wet", "slippery"].contains($0) }
        .map { ["empty": "free", "slippery": "wet"][$0] ?? String($0) }.sorted().joined()
      return (key, try gold(reading.episode, "decide"))
    }
    // Routes are named by what they are for: the faster and the slower one of each lane.
    let route = try limits { reading in
      let names = try reading.routeNames()
      let refused = try reading.refused().flatMap { names[$0] } ?? "none"
      return (
        try reading.routePattern() + refused, try #require(names[try gold(reading.episode, "route")])
      )
    }
    let oracle = world.accuracyWithoutParents
    // The higher one of both; three standard errors of 7200 training and of 900 test episodes.
    for (task, counted) in [("decide", decide), ("route", route)] {
      let expected = try #require(oracle[task])
      let isTest = counted.test > counted.train
      #expect(abs(max(counted.train, counted.test) - expected) < (isTest ? 0.05 : 0.02), "\(task) \(counted)")
    }
    #expect(oracle["perceive"] == 1)
  }

  @Test func noiseCorruptsTrainingAnswersAlone() throws {
    let world = try world()
    let clean = try world.splits(episodes: 1000, seed: 9, noise: [:])
    let noisy = try world.splits(episodes: 1000, seed: 9, noise: ["predict": 0.2])
    #expect(noisy.valid == clean.valid && noisy.test == clean.test)
    let pairs = zip(clean.train, noisy.train)
    let wrong = pairs.filter { $0.tasks["predict"] != $1.tasks["predict"] }.count
    #expect((120...200).contains(wrong))
    #expect(pairs.allSatisfy { $0.tasks["route"] == $1.tasks["route"] && $0.inputs == $1.inputs })
  }

  @Test func numbersOutOfRangeAreRefused() throws {
    let world = try world()
    #expect(throws: WorldError.outside("episodes", 9, allowed: 10...10_000)) {
      try world.splits(episodes: 9, seed: 1, noise: [:])
    }
    #expect(
      throws: WorldError.unknownTask(
        "rute", world: "iov", tasks: ["perceive", "predict", "decide", "route"])
    ) {
      try world.splits(episodes: 10, seed: 1, noise: ["rute": 0.1])
    }
  }

  @Test func exampleWorkflowMatches() throws {
    let url = Fixtures.packageRoot.appendingPathComponent("Examples/iov.yaml")
    let blocks = try String(contentsOf: url, encoding: .utf8).components(separatedBy: "  - name: ")
      .dropFirst()
    try #require(blocks.count == IoVWorld.tasks.count)
    for (task, block) in zip(IoVWorld.tasks, blocks) {
      #expect(block.hasPrefix(task.name + "\n"))
      #expect(block.contains("inputs: [\(task.inputs.joined(separator: ", "))]"))
      #expect(task.parents.isEmpty || block.contains("parents: [\(task.parents.joined(separator: ", "))]"))
    }
  }
}
