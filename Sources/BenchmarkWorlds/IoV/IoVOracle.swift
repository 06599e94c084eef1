/// The best possible accuracy without the parents' answers: a guesser that reads the facts in a task's own inputs
/// perfectly and knows all rules and frequencies. Counted from the distribution of the scenarios.
enum IoVOracle {
  static func accuracyWithoutParents(
    _ distribution: IoVDistribution, difficulty: IoVDifficulty
  ) -> [String: Double] {
    [
      "perceive": 1,
      "predict": predict(distribution),
      "decide": decide(distribution),
      "route": route(distribution, difficulty),
    ]
  }

  /// How often each answer is right for each combination of facts.
  private struct Table<Facts: Hashable, Answer: Hashable> {
    private var counts: [Facts: [Answer: Double]] = [:]

    mutating func add(_ facts: Facts, _ answer: Answer, _ weight: Double) {
      counts[facts, default: [:]][answer, default: 0] += weight
    }

    /// The accuracy of the most frequent answer for each combination.
    var accuracy: Double {
      // Sorted, so that rounding does not depend on the order of a dictionary.
      let right = counts.values.map { $0.values.max() ?? 0 }.sorted().reduce(0, +)
      let total = counts.values.flatMap(\.values).sorted().reduce(0, +)
      return total > 0 ? right / total : 0
    }
  }

  /// `predict` reads what three neighbours do. Each cue occurs once, so what it reveals about the hazard is which
  /// group shows which cue, and whether a neighbour stands or brakes.
  private static func predict(_ distribution: IoVDistribution) -> Double {
    var table = Table<Set<IoVDistribution.Look>, Prediction>()
    for draw in distribution.draws {
      let looks = Set(([draw.scenario.hazard] + draw.companions).map(IoVDistribution.Look.init))
      table.add(looks, draw.scenario.facts.prediction, draw.probability)
    }
    return table.accuracy
  }

  private struct Conditions: Hashable {
    let light: Light
    let grip: Grip
    let leftLane: LeftLane
  }

  private static func decide(_ distribution: IoVDistribution) -> Double {
    var table = Table<Conditions, Manoeuvre>()
    for draw in distribution.draws {
      let facts = draw.scenario.facts
      table.add(
        Conditions(light: facts.light, grip: facts.grip, leftLane: facts.leftLane), facts.manoeuvre,
        draw.probability)
    }
    return table.accuracy
  }

  /// `route` reads whether a stop changes the fastest route, and which route the passenger refuses, if any: numbers
  /// 0 and 1 are the faster and the slower one from our lane now, 2 and 3 those from the left lane.
  private static func route(_ distribution: IoVDistribution, _ difficulty: IoVDifficulty) -> Double {
    var table = Table<[Int], Int>()
    for draw in distribution.draws {
      let facts = draw.scenario.facts
      for refused in -1..<4 {
        let share = refused < 0 ? 1 - difficulty.refusals : difficulty.refusals / 4
        let order =
          switch facts.manoeuvre {
          case .overtake: [2, 3]
          case .brake: facts.stopChangesRoute ? [1, 0] : [0, 1]
          case .follow, .hold: [0, 1]
          }
        guard let answer = order.first(where: { $0 != refused }) else { continue }
        table.add(
          [facts.stopChangesRoute ? 1 : 0, refused], answer, share * draw.probability)
      }
    }
    return table.accuracy
  }
}
