import BenchmarkWorlds
import Datasets
import Testing

struct IoVGuessingTests {
  /// The answers cannot be guessed: no shortcut is far above chance, and the parents' answers add much.
  @Test func iovCannotBeGuessed() throws {
    let splits = try IoVWorld.splits(episodes: 10_000, seed: 77)
    let oracle = IoVWorld.oracleWithoutParents()
    let report = ShortcutBaselines.measure(
      train: splits.train, test: splits.test, tasks: IoVWorld.tasks, oracleWithoutParents: oracle)
    for row in report.tasks {
      for figure in [row.majority, row.position, row.longest, row.shortest, row.overlap] {
        #expect(try #require(figure) < 0.4, "\(report.text)")
      }
      // The agent in our lane is named by two adjacent words, which the word counter sees, too.
      if row.task != "perceive" { #expect(row.bestShortcut < 0.5, "\(report.text)") }
      // The limit is an expectation; three standard errors of 1000 items are 0.048.
      #expect(row.bayesAlone < (try #require(row.oracleWithoutParents)) + 0.048, "\(report.text)")
    }
    for task in ["predict", "decide", "route"] { #expect(try #require(oracle[task]) < 0.5) }
    for row in report.tasks where ["decide", "route"].contains(row.task) {
      #expect(try #require(row.bayesWithParents) > row.bayesAlone + 0.3, "\(report.text)")
    }
  }

  /// The computed limit agrees with counting, over many episodes, the most frequent answer for each
  /// combination of the facts a task reads and the options it offers.
  @Test func oracleAgreesWithCounting() throws {
    let episodes = try IoVWorld.generate(episodes: 10_000, seed: 123)
    func limit(_ task: String, _ facts: (Episode) throws -> String) rethrows -> Double {
      var counts: [String: [String: Int]] = [:]
      for episode in episodes {
        guard let item = episode.tasks[task] else { continue }
        let key = try facts(episode) + item.options.sorted().joined(separator: "|")
        counts[key, default: [:]][item.answerText, default: 0] += 1
      }
      return Double(counts.values.reduce(0) { $0 + ($1.values.max() ?? 0) }) / Double(episodes.count)
    }
    let predict = try limit("predict") { episode in
      let reading = IoVReading(episode: episode)
      // The group of the agent that shows each cue.
      return try (episode.tasks["perceive"]?.options ?? []).map { agent in
        "\(try reading.prediction(of: agent)): \(IoVReading.vehicles.contains(agent))"
      }.sorted().joined(separator: ", ")
    }
    let decide = try limit("decide") { episode in
      let reading = IoVReading(episode: episode)
      // The answers for these two predictions give the light and whether overtaking is possible, and nothing
      // else.
      return try reading.manoeuvre(hazard: "taxi", prediction: "turns off")
        + reading.manoeuvre(hazard: "taxi", prediction: "stops")
    }
    let route = try limit("route") { episode in
      let reading = IoVReading(episode: episode)
      return try reading.action(manoeuvre: "overtake") + reading.action(manoeuvre: "hold speed")
    }
    let oracle = IoVWorld.oracleWithoutParents()
    // If several answers are equally frequent, counting the most frequent one overestimates slightly.
    #expect(abs(predict - (try #require(oracle["predict"]))) < 0.02)
    #expect(abs(decide - (try #require(oracle["decide"]))) < 0.012)
    #expect(abs(route - (try #require(oracle["route"]))) < 0.012)
    #expect(oracle["perceive"] == 1)
  }
}
