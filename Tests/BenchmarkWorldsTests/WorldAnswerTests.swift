import BenchmarkWorlds
import Datasets
import Testing

/// The answers follow from the texts, as a second implementation reads them, and another parent's answer changes them.
@Suite struct WorldAnswerTests {
  @Test(arguments: 1...3) func industry(_ level: Int) throws {
    let world = IndustryWorld(difficulty: try Difficulty(level))
    for episode in try world.generate(episodes: 700, seed: 41) {
      let reading = IndustryReading(episode: episode)
      let fault = try reading.fault()
      let (life, risk) = (try reading.life(fault), try reading.risk(fault))
      #expect(try Texts.gold(episode, "diagnose") == fault)
      #expect(try Texts.gold(episode, "forecast") == life)
      #expect(try Texts.gold(episode, "assess") == risk)
      #expect(try Texts.gold(episode, "act") == reading.action(life: life, risk: risk))
    }
  }

  @Test(arguments: 1...3) func city(_ level: Int) throws {
    let world = CityWorld(difficulty: try Difficulty(level))
    for episode in try world.generate(episodes: 700, seed: 41) {
      let reading = CityReading(episode: episode)
      let event = try reading.event()
      let (severity, origin) = (try reading.severity(event), try reading.origin(event))
      #expect(try Texts.gold(episode, "event") == event)
      #expect(try Texts.gold(episode, "severity") == severity)
      #expect(try Texts.gold(episode, "origin") == origin)
      #expect(try Texts.gold(episode, "dispatch") == reading.dispatch(severity: severity, origin: origin))
    }
  }

  @Test func stations() throws {
    for world in WorldTests.worlds.compactMap({ $0 as? RelayWorld }) {
      for episode in try world.generate(episodes: 150, seed: 41) {
        let reading = RelayReading(episode: episode)
        var tracks: [String: String] = [:]
        for (index, task) in world.tasks.enumerated() {
          tracks[task.name] = try reading.track(task, index, parents: tracks)
        }
        #expect(episode.tasks.mapValues(\.answerText) == tracks)
      }
    }
  }

  @Test func shapes() throws {
    func edges(_ shape: RelayShape, _ count: Int) throws -> [String] {
      try RelayWorld(shape, tasks: count, difficulty: Difficulty()).tasks.map { task in
        "\(task.name.prefix(1)): \(task.parents.map { String($0.prefix(1)) }.joined())"
      }
    }
    #expect(try edges(.chain, 4) == ["a: ", "b: a", "c: b", "d: c"])
    #expect(try edges(.tree, 6) == ["a: ", "b: a", "c: a", "d: b", "e: b", "f: c"])
    #expect(try edges(.diamond, 7) == ["a: ", "b: a", "c: a", "d: bc", "e: d", "f: d", "g: ef"])
  }

  /// Each of six stations has a rule of its own, a permutation for each position of its handle, and those of neighbours
  /// contradict each other at every position.
  @Test func stationsHaveRulesOfTheirOwn() {
    func rule(_ station: Int) -> [[Track]] {
      Handle.allCases.map { handle in
        Track.allCases.map { RelayRules.departure(station: station, arrival: $0, handle: handle) }
      }
    }
    #expect(Set((1...6).map(rule)).count == 6)
    for station in 1..<24 {
      #expect(rule(station).allSatisfy { Set($0).count == 3 } && rule(station) == rule(station + 6))
      #expect(zip(rule(station), rule(station + 1)).allSatisfy { $0 != $1 })
    }
    #expect(Set([3, 6, 9].map { RelayRules.departure(station: $0, called: .one) }).count == 3)
  }

  /// In most episodes, another answer of one parent, all else equal, changes the child's answer.
  @Test func childrenDependOnTheirParents() throws {
    var tried: [String: (changed: Int, all: Int)] = [:]
    func note(_ edge: String, _ isChanged: Bool) {
      tried[edge, default: (0, 0)].all += 1
      if isChanged { tried[edge, default: (0, 0)].changed += 1 }
    }
    func others(_ episode: Episode, _ task: String) throws -> [String] {
      let item = try #require(episode.tasks[task])
      return item.options.filter { $0 != item.answerText }
    }
    for episode in try IndustryWorld(difficulty: Difficulty()).generate(episodes: 300, seed: 17) {
      let reading = IndustryReading(episode: episode)
      let gold = episode.tasks.mapValues(\.answerText)
      let (goldLife, goldRisk) = (try #require(gold["forecast"]), try #require(gold["assess"]))
      for fault in try others(episode, "diagnose") {
        note("diagnose-forecast", try reading.life(fault) != gold["forecast"])
        note("diagnose-assess", try reading.risk(fault) != gold["assess"])
      }
      for life in try others(episode, "forecast") {
        note("forecast-act", try reading.action(life: life, risk: goldRisk) != gold["act"])
      }
      for risk in try others(episode, "assess") {
        note("assess-act", try reading.action(life: goldLife, risk: risk) != gold["act"])
      }
    }
    for episode in try CityWorld(difficulty: Difficulty()).generate(episodes: 300, seed: 17) {
      let reading = CityReading(episode: episode)
      let gold = episode.tasks.mapValues(\.answerText)
      let (goldSeverity, goldOrigin) = (try #require(gold["severity"]), try #require(gold["origin"]))
      for event in try others(episode, "event") {
        note("event-severity", try reading.severity(event) != gold["severity"])
        note("event-origin", try reading.origin(event) != gold["origin"])
      }
      for severity in try others(episode, "severity") {
        let other = try reading.dispatch(severity: severity, origin: goldOrigin)
        note("severity-dispatch", other != gold["dispatch"])
      }
      for origin in try others(episode, "origin") {
        let other = try reading.dispatch(severity: goldSeverity, origin: origin)
        note("origin-dispatch", other != gold["dispatch"])
      }
    }
    let least = [
      "diagnose-forecast": 0.4, "diagnose-assess": 0.4, "forecast-act": 0.6, "assess-act": 0.6,
      "event-severity": 0.4, "event-origin": 0.5, "severity-dispatch": 0.5, "origin-dispatch": 0.4,
    ]
    #expect(Set(tried.keys) == Set(least.keys))
    for (edge, counts) in tried {
      let share = Double(counts.changed) / Double(counts.all)
      #expect(share > (try #require(least[edge])), "\(edge): \(share)")
    }
  }
}
