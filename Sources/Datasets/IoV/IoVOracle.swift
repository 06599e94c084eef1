/// What the best possible guesser reaches that reads a task's own inputs and options perfectly, knows all
/// rules and all frequencies, and lacks only the parents' answers. Computed exactly from the world's weights.
enum IoVOracle {
  /// The expected accuracy of that guesser for each task.
  static func accuracyWithoutParents() -> [String: Double] {
    [
      "perceive": 1,
      "predict": predict(),
      "decide": accuracy(facts: { Pair($0.grip, $0.leftLane) }, answer: \.manoeuvre),
      "route": accuracy(facts: { Pair($0.wish, $0.closure) }, answer: \.routeAction),
    ]
  }

  private struct Pair<First: Hashable, Second: Hashable>: Hashable {
    let first: First
    let second: Second

    init(_ first: First, _ second: Second) {
      self.first = first
      self.second = second
    }
  }

  private static func accuracy<Facts: Hashable, Value: IoVAnswer>(
    facts: (Circumstances) -> Facts, answer: (Circumstances) -> Value
  ) -> Double {
    var table: [Facts: [Value: Double]] = [:]
    for (circumstances, weight) in IoVDistribution.weighted {
      table[facts(circumstances), default: [:]][answer(circumstances), default: 0] += Double(weight)
    }
    return accuracy(table)
  }

  /// `predict` reads the light and every agent's cue. Since each cue occurs once, what tells about the
  /// hazard is only which two of the cues the two unprotected agents show.
  private static func predict() -> Double {
    var table: [Pair<Light, Set<Cue>>: [Prediction: Double]] = [:]
    for (circumstances, weight) in IoVDistribution.weighted {
      // The other agent of the hazard's group shows one of the three other cues, each equally likely.
      for companion in Cue.allCases where companion != circumstances.cue {
        let pair: Set = [circumstances.cue, companion]
        let unprotected = circumstances.group == .unprotected ? pair : Set(Cue.allCases).subtracting(pair)
        table[Pair(circumstances.light, unprotected), default: [:]][circumstances.prediction, default: 0] +=
          Double(weight)
      }
    }
    return accuracy(table)
  }

  /// The share of right answers if, for each set of facts and each set of offered options, the most probable
  /// option is chosen.
  private static func accuracy<Facts: Hashable, Value: IoVAnswer>(_ table: [Facts: [Value: Double]]) -> Double
  {
    var right = 0.0
    var total = 0.0
    for masses in table.values {
      total += masses.values.reduce(0, +)
      guard Value.allCases.count > 4 else {
        right += masses.values.max() ?? 0
        continue
      }
      let omissions = Value.allCases.reduce(0) { $0 + $1.omission }
      for omitted in Value.allCases {
        let joint = masses.filter { $0.key != omitted }.map { truth, mass in
          mass * Double(omitted.omission) / Double(omissions - truth.omission)
        }
        right += joint.max() ?? 0
      }
    }
    return right / total
  }
}
