/// The best possible accuracy without the parents' answers: a guesser that reads the facts in a task's own inputs
/// perfectly and knows all rules, and all frequencies of the training worlds. Counted from the distribution of the
/// scenarios.
enum IoVOracle {
  /// - Parameters:
  ///   - known: what the guesser knows the frequencies of.
  ///   - asked: the distribution of the episodes on which it guesses.
  static func accuracyWithoutParents(
    knowing known: IoVDistribution, on asked: IoVDistribution, difficulty: IoVDifficulty
  ) -> [String: Double] {
    [
      "perceive": 1,
      "predict": predict(known).accuracy(on: predict(asked)),
      "decide": decide(known).accuracy(on: decide(asked)),
      "route": route(known, difficulty).accuracy(on: route(asked, difficulty)),
    ]
  }

  /// How often each answer is right for each combination of facts.
  private struct Table<Facts: Hashable, Answer: Hashable> {
    private var counts: [Facts: [Answer: Double]] = [:]
    /// In the order in which they came.
    private var answers: [Answer] = []

    mutating func add(_ facts: Facts, _ answer: Answer, _ weight: Double) {
      if !answers.contains(answer) { answers.append(answer) }
      counts[facts, default: [:]][answer, default: 0] += weight
    }

    /// The accuracy in another table of the answer that is most frequent in this one for each combination. Of a
    /// combination that does not occur here, the other table's is taken: no guess is better.
    func accuracy(on other: Table) -> Double {
      // In fixed orders, so that neither ties nor rounding depend on the order of a dictionary.
      let right = other.counts.map { facts, asked in
        let known = counts[facts] ?? asked
        let guess = (answers + other.answers).max { known[$0, default: 0] < known[$1, default: 0] }
        return guess.flatMap { asked[$0] } ?? 0
      }.sorted().reduce(0, +)
      let total = other.counts.values.flatMap(\.values).sorted().reduce(0, +)
      return total > 0 ? right / total : 0
    }
  }

  /// `predict` reads what three neighbours do. Each cue occurs once, so what it reveals about the hazard is which
  /// group shows which cue, and whether a neighbour stands or brakes.
  private static func predict(
    _ distribution: IoVDistribution
  ) -> Table<Set<IoVDistribution.Look>, Prediction> {
    var table = Table<Set<IoVDistribution.Look>, Prediction>()
    for draw in distribution.draws {
      let looks = Set(([draw.scenario.hazard] + draw.companions).map(IoVDistribution.Look.init))
      table.add(looks, draw.scenario.facts.prediction, draw.probability)
    }
    return table
  }

  private struct Conditions: Hashable {
    let light: Light
    let grip: Grip
    let leftLane: LeftLane
  }

  private static func decide(_ distribution: IoVDistribution) -> Table<Conditions, Manoeuvre> {
    var table = Table<Conditions, Manoeuvre>()
    for draw in distribution.draws {
      let facts = draw.scenario.facts
      table.add(
        Conditions(light: facts.light, grip: facts.grip, leftLane: facts.leftLane), facts.manoeuvre,
        draw.probability)
    }
    return table
  }

  /// `route` reads whether a stop changes the fastest route, and which route the passenger refuses, if any: numbers
  /// 0 and 1 are the faster and the slower one from our lane now, 2 and 3 those from the left lane.
  private static func route(_ distribution: IoVDistribution, _ difficulty: IoVDifficulty) -> Table<[Int], Int>
  {
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
    return table
  }
}
