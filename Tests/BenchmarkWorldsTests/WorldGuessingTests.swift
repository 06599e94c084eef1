import BenchmarkWorlds
import Datasets
import Testing

@Suite struct WorldGuessingTests {
  /// The answers cannot be guessed: no shortcut is far above chance, and the parents' answers add much.
  @Test(arguments: WorldTests.worlds.indices) func cannotBeGuessed(_ index: Int) throws {
    let world = WorldTests.worlds[index]
    let isLarge = world.tasks.count > 8
    let splits = try world.splits(episodes: isLarge ? 1000 : 4000, seed: 77)
    let limits = world.accuracyWithoutParents
    let report = ShortcutBaselines.measure(
      train: splits.train, test: splits.test, tasks: world.tasks, oracleWithoutParents: limits)
    for (task, row) in zip(world.tasks, report.tasks) where !task.parents.isEmpty {
      let limit = try #require(row.oracleWithoutParents)
      // The limit is an expectation; four standard errors of 400 items are 0.1, of 100 items 0.2.
      let slack = isLarge ? 0.2 : 0.1
      #expect(limit < 0.6)
      #expect(row.bestShortcut < limit + slack, "\(task.name)\n\(report.text)")
    }
    let last = try #require(report.tasks.last)
    #expect(try #require(limits[last.task]) < 0.45)
    #expect(last.bestShortcut < (isLarge ? 0.55 : 0.5), "\(report.text)")
    #expect(try #require(last.bayesWithParents) > last.bayesAlone + 0.12, "\(report.text)")
  }

  /// The computed limit agrees with counting, over many episodes, the most frequent answer for each combination of the
  /// facts a task reads.
  private func limit(
    _ episodes: [Episode], _ task: String, _ facts: (Episode) throws -> String
  ) throws -> Double {
    var counts: [String: [String: Int]] = [:]
    for episode in episodes {
      counts[try facts(episode), default: [:]][try Texts.gold(episode, task), default: 0] += 1
    }
    return Double(counts.values.reduce(0) { $0 + ($1.values.max() ?? 0) }) / Double(episodes.count)
  }

  // If several answers are equally frequent, counting the most frequent one overestimates slightly.
  private func expectClose(_ found: Double, _ limit: Double?, _ slack: Double = 0.025) throws {
    #expect(abs(found - (try #require(limit))) < slack)
  }

  @Test func industryLimitsAgreeWithCounting() throws {
    let world = IndustryWorld(difficulty: try Difficulty())
    let episodes = try world.generate(episodes: 6000, seed: 123)
    let limits = world.accuracyWithoutParents
    // The answers for some parents give the facts and nothing else.
    let forecast = try limit(episodes, "forecast") { episode in
      let reading = IndustryReading(episode: episode)
      return try reading.life("looseness") + reading.life("bearing defect")
    }
    let assess = try limit(episodes, "assess") { try IndustryReading(episode: $0).risk("looseness") }
    let act = try limit(episodes, "act") { episode in
      try IndustryReading(episode: episode).action(life: "days", risk: "low")
    }
    try expectClose(forecast, limits["forecast"])
    try expectClose(assess, limits["assess"])
    try expectClose(act, limits["act"])
    #expect(limits["diagnose"] == 1)
  }

  @Test func cityLimitsAgreeWithCounting() throws {
    let world = CityWorld(difficulty: try Difficulty())
    let episodes = try world.generate(episodes: 10_000, seed: 123)
    let limits = world.accuracyWithoutParents
    let severity = try limit(episodes, "severity") { episode in
      let reading = CityReading(episode: episode)
      return try reading.severity("rain") + reading.severity("roadworks")
    }
    let origin = try limit(episodes, "origin") { try CityReading(episode: $0).stretch() }
    let dispatch = try limit(episodes, "dispatch") { episode in
      let reading = CityReading(episode: episode)
      return try ["upstream", "here", "downstream"].map {
        try reading.dispatch(severity: "serious", origin: $0)
      }
      .joined()
    }
    try expectClose(severity, limits["severity"])
    try expectClose(origin, limits["origin"])
    try expectClose(dispatch, limits["dispatch"])
    #expect(limits["event"] == 1)
  }

  @Test func stationLimitsAgreeWithCounting() throws {
    let world = try RelayWorld(.diamond, tasks: 8, difficulty: Difficulty())
    let episodes = try world.generate(episodes: 6000, seed: 123)
    for task in world.tasks where !task.parents.isEmpty {
      let found = try limit(episodes, task.name) { try RelayReading(episode: $0).reading(task) }
      try expectClose(found, world.accuracyWithoutParents[task.name], 0.03)
    }
  }
}
