import TaskGraph
import Testing

@Suite struct PhaseTests {
  static func diamond() throws -> TaskDependencyGraph {
    try TaskDependencyGraph([
      ("perceive", []), ("predict", ["perceive"]), ("decide", ["perceive"]),
      ("route", ["predict", "decide"]),
    ])
  }

  static func schedule(
    _ ratio: Double, _ rule: PrerequisiteRule = .ancestors, _ freeze: FreezeRule = .leading, rounds: Int = 1
  ) throws -> PhaseSchedule {
    let graph = try diamond()
    return try PhaseSchedule(
      graph: graph, blocks: RankBlocks(tasks: graph.tasks, rank: 16), frozenRatio: ratio,
      prerequisiteRule: rule, freezeRule: freeze, rounds: rounds)
  }

  @Test func frozenCountsRoundHalfUp() {
    #expect(Phase.frozenCount(ratio: 0.5, width: 5) == 3)
    #expect(Phase.frozenCount(ratio: 0.5, width: 1) == 1)
    #expect(Phase.frozenCount(ratio: 0.25, width: 6) == 2)
    #expect(Phase.frozenCount(ratio: 0.24, width: 6) == 1)
    #expect(Phase.frozenCount(ratio: 0, width: 6) == 0)
    #expect(Phase.frozenCount(ratio: 1, width: 6) == 6)
    for width in 0...64 {
      #expect(
        (0...100).map { Phase.frozenCount(ratio: Double($0) / 100, width: width) }.allSatisfy {
          (0...width).contains($0)
        })
    }
  }

  @Test func phasesOfADiamond() throws {
    let schedule = try Self.schedule(0.5, rounds: 2)
    #expect(schedule.count == 8)
    #expect(
      schedule.map(\.task) == [
        "perceive", "predict", "decide", "route", "perceive", "predict", "decide", "route",
      ])
    #expect(schedule.map(\.round) == [1, 1, 1, 1, 2, 2, 2, 2])
    #expect(schedule.map(\.level) == [1, 2, 2, 3, 1, 2, 2, 3])
    #expect(schedule.map(\.index) == Array(0..<8))
    let route = schedule[7]
    #expect(route == schedule.phase(of: "route", round: 2))
    #expect(route.block == 12..<16)
    #expect(route.prerequisites.map(\.task) == ["perceive", "predict", "decide"])
    #expect(route.prerequisites.map(\.frozen) == [[0, 1], [4, 5], [8, 9]])
    #expect(route.prerequisites.map(\.trainable) == [[2, 3], [6, 7], [10, 11]])
    #expect(route.frozen == [0, 1, 4, 5, 8, 9])
    #expect(route.trainable == [2, 3, 6, 7, 10, 11, 12, 13, 14, 15])
    #expect(route.masked.isEmpty && route.active == Array(0..<16))
    let direct = try Self.schedule(1, .direct).phase(of: "route")
    #expect(direct.frozen == Array(4..<12) && direct.masked == Array(0..<4))
    #expect(try Self.schedule(1, .direct).viewColumns(of: "route") == Array(4..<16))
  }

  @Test func ratiosAndRoundsOutOfRange() throws {
    let remedy = "give a share between 0 (refine all prerequisite columns) and 1 (freeze all)"
    for (ratio, shown) in [(-0.1, "-0.1"), (1.5, "1.5"), (.nan, "nan"), (.infinity, "inf")] {
      do {
        _ = try Self.schedule(ratio)
        Issue.record("accepted \(ratio)")
      } catch {
        #expect("\(error)" == "the frozen ratio \(shown) is outside 0...1; \(remedy)")
      }
    }
    for rounds in [0, -1, 1_000_001] {
      #expect(throws: TaskGraphError.roundsOutOfRange(rounds)) { try Self.schedule(0.5, rounds: rounds) }
    }
    #expect(
      TaskGraphError.roundsOutOfRange(0).description
        == "0 rounds are outside 1...1000000; use a number in that range")
  }

  @Test func importanceChoosesTheLargestAndTiesGoToTheLowerColumn() throws {
    let phase = try Self.schedule(0.5, .ancestors, .importance).phase(of: "route")
    #expect(phase.isProvisional)
    var importance = [Double](repeating: 0, count: 16)
    importance[0..<4] = [1, 4, 2, 3]
    importance[4..<8] = [7, 7, 7, 7]
    importance[8..<12] = [0, 5, 0, 0]
    // The phase's own columns are ignored.
    importance[12] = .nan
    let chosen = try phase.freezing(mostImportant: importance)
    #expect(!chosen.isProvisional)
    #expect(chosen.prerequisites.map(\.frozen) == [[1, 3], [4, 5], [8, 9]])
    #expect(chosen.trainable == [0, 2, 6, 7, 10, 11, 12, 13, 14, 15])
    #expect((chosen.frozen + chosen.trainable + chosen.masked).sorted() == Array(0..<16))
    #expect(try chosen.freezing(mostImportant: importance) == chosen)
    importance[9] = .nan
    do {
      _ = try phase.freezing(mostImportant: importance)
      Issue.record("accepted NaN")
    } catch {
      #expect(
        error.description
          == "the importance of rank column 9 is not a finite number; training has diverged; "
          + "lower the learning rate and go back to an earlier checkpoint")
    }
  }

  @Test func onlyPhasesWithAChoiceAreProvisional() throws {
    #expect(
      try Self.schedule(0.5, .ancestors, .importance).map(\.isProvisional) == [false, true, true, true])
    #expect(try !Self.schedule(1, .ancestors, .importance).contains(where: \.isProvisional))
    #expect(try !Self.schedule(0.5).contains(where: \.isProvisional))
  }

  @Test func freezingGivenColumns() throws {
    let phase = try Self.schedule(0.5).phase(of: "decide").freezing([3, 1, 0])
    #expect(phase.frozen == [0, 1, 3] && phase.trainable == [2, 8, 9, 10, 11])
    #expect(phase.masked == [4, 5, 6, 7, 12, 13, 14, 15])
  }

  @Test func tasksThatCanTrainSideBySide() throws {
    #expect(try Self.schedule(0.5).independentGroups(level: 2) == [["predict", "decide"]])
    #expect(try Self.schedule(1).independentGroups(level: 2) == [["predict"], ["decide"]])
    // round(0.9 * 4) = 4: nothing is left to refine.
    #expect(try Self.schedule(0.9).independentGroups(level: 2) == [["predict"], ["decide"]])
  }

  @Test func predictedAnswersWidenWhatATaskReads() throws {
    // 'y' reads 'p', and the prediction of 'p' needs 'q'; 'x' refines 'q'. Tested in both orders of the file.
    let x: (name: String, parents: [String]) = ("x", ["q", "s"])
    let y: (name: String, parents: [String]) = ("y", ["p"])
    for (first, second) in [(x, y), (y, x)] {
      let graph = try TaskDependencyGraph([
        ("q", []), ("p", ["q"]), ("r", []), ("s", ["r"]), first, second,
      ])
      let schedule = try PhaseSchedule(
        graph: graph, blocks: RankBlocks(tasks: graph.tasks, rank: 12), frozenRatio: 0.5,
        prerequisiteRule: .direct)
      let names = [first.name, second.name]
      #expect(schedule.independentGroups(level: 3) == names.map { [$0] })
      #expect(schedule.independentGroups(level: 3, readingAncestors: true) == [names])
    }
  }
}
