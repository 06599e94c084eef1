import BenchmarkWorlds
import Datasets
import Foundation
import TestSupport
import Testing

private func gold(_ episode: Episode, _ task: String) throws -> String {
  try #require(episode.tasks[task]).answerText
}

/// FNV-1a, to pin bytes without a fixture file.
private func fingerprint(_ data: Data) -> UInt64 {
  data.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

private func bytes(_ episodes: [Episode]) throws -> Data {
  try Fixtures.withTemporaryDirectory { folder in
    let url = folder.appendingPathComponent("d.jsonl")
    try EpisodeFile.write(episodes, to: url.path)
    return try Data(contentsOf: url)
  }
}

@Suite struct IoVWorldTests {
  @Test func sameSeedSameBytes() throws {
    let first = try bytes(IoVWorld.generate(episodes: 200, seed: 7))
    #expect(try bytes(IoVWorld.generate(episodes: 200, seed: 7)) == first)
    #expect(try bytes(IoVWorld.generate(episodes: 200, seed: 8)) != first)
    // Earlier data must stay reproducible: a change of these bytes is a change of the data set.
    #expect(fingerprint(first) == 10644297237515531107)
  }

  @Test func fewerEpisodesAreABeginning() throws {
    let beginning = try IoVWorld.generate(episodes: 90, seed: 7).prefix(30)
    #expect(try IoVWorld.generate(episodes: 30, seed: 7) == Array(beginning))
    #expect(try IoVWorld.generate(episodes: 0, seed: 7).isEmpty)
  }

  @Test func answersFollowFromTheTexts() throws {
    for episode in try IoVWorld.generate(episodes: 1500, seed: 41) {
      let reading = IoVReading(episode: episode)
      let hazard = try reading.hazard()
      let prediction = try reading.prediction(of: hazard)
      let manoeuvre = try reading.manoeuvre(hazard: hazard, prediction: prediction)
      #expect(try gold(episode, "perceive") == hazard)
      #expect(try gold(episode, "predict") == prediction)
      #expect(try gold(episode, "decide") == manoeuvre)
      #expect(try gold(episode, "route") == reading.action(manoeuvre: manoeuvre))
    }
  }

  @Test func itemsAreWellFormed() throws {
    for episode in try IoVWorld.generate(episodes: 300, seed: 5) {
      #expect(Set(episode.tasks.keys) == Set(IoVWorld.tasks.map(\.name)))
      #expect(Set(episode.inputs.keys) == Set(IoVWorld.tasks.flatMap(\.inputs)))
      for item in episode.tasks.values {
        #expect((3...4).contains(item.options.count) && Set(item.options).count == item.options.count)
        #expect(item.options.allSatisfy { (1...3).contains($0.split(separator: " ").count) })
      }
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
    for episode in try IoVWorld.generate(episodes: 1000, seed: 17) {
      let reading = IoVReading(episode: episode)
      let (hazard, prediction) = (try gold(episode, "perceive"), try gold(episode, "predict"))
      for wrong in try #require(episode.tasks["perceive"]).options where wrong != hazard {
        let otherPrediction = try reading.prediction(of: wrong)
        note("perceive-predict", otherPrediction != prediction)
        let alone = try reading.manoeuvre(hazard: wrong, prediction: prediction)
        note("perceive-decide", try alone != gold(episode, "decide"))
        let both = try reading.manoeuvre(hazard: wrong, prediction: otherPrediction)
        note("perceive-predict-decide", try both != gold(episode, "decide"))
      }
      for wrong in try #require(episode.tasks["predict"]).options where wrong != prediction {
        let other = try reading.manoeuvre(hazard: hazard, prediction: wrong)
        note("predict-decide", try other != gold(episode, "decide"))
      }
      for wrong in try #require(episode.tasks["decide"]).options where try wrong != gold(episode, "decide") {
        note("decide-route", try reading.action(manoeuvre: wrong) != gold(episode, "route"))
      }
    }
    func share(_ edge: String) throws -> Double {
      Double(changed[edge, default: 0]) / Double(try #require(tried[edge]))
    }
    #expect(try share("perceive-predict") > 0.93)
    #expect(try share("perceive-decide") > 0.18)
    #expect(try share("perceive-predict-decide") > 0.72)
    #expect(try share("predict-decide") > 0.72)
    #expect(try share("decide-route") > 0.7)
  }

  @Test func answersAreBalanced() throws {
    let episodes = try IoVWorld.generate(episodes: 4000, seed: 23)
    let limits = ["perceive": 0.15, "predict": 0.39, "decide": 0.36, "route": 0.36]
    for task in IoVWorld.tasks {
      let items = episodes.compactMap { $0.tasks[task.name] }
      let byText = Dictionary(items.map { ($0.answerText, 1) }, uniquingKeysWith: +)
      let byPlace = Dictionary(items.compactMap(\.answerIndex).map { ($0, 1) }, uniquingKeysWith: +)
      let most = Double(try #require(byText.values.max())) / 4000
      #expect(most < (try #require(limits[task.name])), "\(task.name): \(byText)")
      #expect(try #require(byText.values.min()) > 4000 / 20, "\(task.name): \(byText)")
      let fair = 4000 / byPlace.count
      #expect(byPlace.values.allSatisfy { abs($0 - fair) < fair / 10 }, "\(task.name): \(byPlace)")
    }
  }

  @Test func splitsShareNoTexts() throws {
    let splits = try IoVWorld.splits(episodes: 3000, seed: 3)
    #expect(splits.train.count == 2400 && splits.valid.count == 300 && splits.test.count == 300)
    let all = splits.train + splits.valid + splits.test
    #expect(Set(all.map(\.id)).count == 3000)
    for task in IoVWorld.tasks {
      let texts = all.map { episode in task.inputs.map { episode.inputs[$0] } }
      #expect(Set(texts).count == 3000, "\(task.name)")
    }
  }

  @Test func largestDataSetCanBeMade() throws {
    #expect(
      try IoVWorld.generate(episodes: IoVWorld.maximumEpisodes, seed: 1).count == IoVWorld.maximumEpisodes)
  }

  @Test func noiseFlipsOneTaskOnly() throws {
    let clean = try IoVWorld.generate(episodes: 2000, seed: 9)
    let noisy = try IoVWorld.generate(episodes: 2000, seed: 9, noise: ["predict": 0.2])
    let noisier = try IoVWorld.generate(episodes: 2000, seed: 9, noise: ["predict": 0.5])
    var flipped = 0
    for (truth, (some, more)) in zip(clean, zip(noisy, noisier)) {
      #expect(truth.inputs == some.inputs)
      for task in ["perceive", "decide", "route"] { #expect(truth.tasks[task] == some.tasks[task]) }
      #expect(truth.tasks["predict"]?.options == some.tasks["predict"]?.options)
      guard truth.tasks["predict"] != some.tasks["predict"] else { continue }
      flipped += 1
      #expect(some.tasks["predict"] == more.tasks["predict"])
    }
    #expect((340...460).contains(flipped))
    #expect(try IoVWorld.generate(episodes: 2000, seed: 9, noise: ["predict": 0.2]) == noisy)
    let all = try IoVWorld.generate(episodes: 50, seed: 9, noise: ["route": 1])
    #expect(zip(clean, all).allSatisfy { $0.tasks["route"] != $1.tasks["route"] })
  }

  @Test func noiseStaysOutOfTheTestData() throws {
    let clean = try IoVWorld.splits(episodes: 200, seed: 9)
    let noisy = try IoVWorld.splits(episodes: 200, seed: 9, noise: ["decide": 0.3])
    #expect(noisy.train != clean.train)
    #expect(noisy.valid == clean.valid && noisy.test == clean.test)
  }

  @Test func refusesWhatItCannotMake() {
    #expect(throws: WorldError.outside("episodes", -1, allowed: 0...10_000)) {
      try IoVWorld.generate(episodes: -1, seed: 1)
    }
    #expect(throws: WorldError.outside("episodes", 9, allowed: 10...10_000)) {
      try IoVWorld.splits(episodes: 9, seed: 1)
    }
    #expect(
      throws: WorldError.unknownTask("rute", world: "iov", tasks: ["perceive", "predict", "decide", "route"])
    ) {
      try IoVWorld.generate(episodes: 1, seed: 1, noise: ["rute": 0.1])
    }
    #expect(throws: WorldError.noiseOutsideRange(task: "route", share: 1.5)) {
      try IoVWorld.generate(episodes: 1, seed: 1, noise: ["route": 1.5])
    }
    #expect(
      WorldError.outside("episodes", 9, allowed: 10...10_000).description
        == "episodes: 9 is not possible; use a number from 10 to 10000")
    #expect(
      WorldError.unknownTask("rute", world: "iov", tasks: ["perceive", "predict", "decide", "route"])
        .description
        == "noise: the iov data has no task \"rute\"; use perceive, predict, decide or route")
    #expect(
      WorldError.noiseOutsideRange(task: "route", share: 1.5).description
        == "noise: 1.5 for \"route\" is not a share; use a number from 0 to 1")
  }

  @Test func exampleWorkflowNamesTheWorldsTasks() throws {
    let url = Fixtures.packageRoot.appendingPathComponent("Examples/iov.yaml")
    let yaml = try String(contentsOf: url, encoding: .utf8)
    let blocks = yaml.components(separatedBy: "  - name: ").dropFirst()
    try #require(blocks.count == IoVWorld.tasks.count)
    for (task, block) in zip(IoVWorld.tasks, blocks) {
      #expect(block.hasPrefix(task.name + "\n"))
      #expect(block.contains("inputs: [\(task.inputs.joined(separator: ", "))]\n"))
      #expect(block.contains("parents: [\(task.parents.joined(separator: ", "))]\n") == !task.parents.isEmpty)
    }
  }
}
