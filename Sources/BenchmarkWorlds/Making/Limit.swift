/// The best possible accuracy of a guesser that reads a task's own inputs perfectly, and knows all rules and
/// frequencies, but not the parents' answers.
enum Limit {
  /// Computes it by enumerating all situations.
  ///
  /// - Parameters:
  ///   - situations: every possible situation; all are equally frequent.
  ///   - reading: everything that the task's own inputs and options say about a situation.
  ///   - answer: the task's answer.
  static func accuracy<Situation, Reading: Hashable, Answer: Hashable>(
    _ situations: some Collection<Situation>, reading: (Situation) -> Reading, answer: (Situation) -> Answer
  ) -> Double {
    var table: [Reading: [Answer: Int]] = [:]
    for situation in situations {
      table[reading(situation), default: [:]][answer(situation), default: 0] += 1
    }
    let right = table.values.reduce(0) { $0 + ($1.values.max() ?? 0) }
    return Double(right) / Double(situations.count)
  }
}
