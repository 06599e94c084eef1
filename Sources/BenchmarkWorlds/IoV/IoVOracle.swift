/// The best possible accuracy without the parents' answers: a guesser that reads a task's own inputs and
/// options perfectly and knows all rules and frequencies. Computed exactly from the distribution's weights.
enum IoVOracle {
  /// The expected accuracy of that guesser on each task.
  static func accuracyWithoutParents() -> [String: Double] {
    [
      "perceive": 1,
      "predict": predict(),
      "decide": accuracy(facts: { Pair(Pair($0.light, $0.grip), $0.leftLane) }, answer: \.manoeuvre),
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

  /// `predict` reads how every agent moves. Each cue occurs once, so the only information about the hazard is
  /// the group of the agent that shows each cue.
  private static func predict() -> Double {
    var table: [[Agent.Group]: [Prediction: Double]] = [:]
    for (circumstances, weight) in IoVDistribution.weighted {
      let others =
        Agent.allCases.filter { $0.group == circumstances.group }.dropFirst()
        + Agent.allCases.filter { $0.group != circumstances.group }
      for second in others {
        for third in others where third != second {
          var companions = [second.group, third.group]
          let groups = Cue.allCases.map { cue in
            cue == circumstances.cue ? circumstances.group : companions.removeFirst()
          }
          table[groups, default: [:]][circumstances.prediction, default: 0] += Double(weight)
        }
      }
    }
    return accuracy(table)
  }

  /// The accuracy of choosing the most probable answer for each set of facts.
  private static func accuracy<Facts: Hashable, Value>(_ table: [Facts: [Value: Double]]) -> Double {
    let right = table.values.reduce(0) { $0 + ($1.values.max() ?? 0) }
    let total = table.values.reduce(0) { $0 + $1.values.reduce(0, +) }
    return right / total
  }
}
