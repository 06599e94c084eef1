/// Whether answers show that a task has been learnt at all.
package enum MajorityTest {
  /// Whether `correct` of `count` answers are more than those of always giving the most frequent answer by more than
  /// chance: one-sided test of a proportion at 5 %, by the normal approximation.
  ///
  /// - Parameter majority: the accuracy of the most frequent answer, 0...1.
  package static func isBetter(correct: Int, of count: Int, than majority: Double) -> Bool {
    guard count > 0 else { return false }
    let accuracy = Double(correct) / Double(count)
    let margin = 1.645 * (majority * (1 - majority) / Double(count)).squareRoot()
    return accuracy >= 1 || accuracy > majority + margin
  }
}
