/// Tests whether a task has been learnt at all.
package enum MajorityTest {
  /// Whether `correct` of `count` answers are significantly more than the most frequent answer would get: a
  /// one-sided test of a proportion at 5 %, with the normal approximation.
  ///
  /// - Parameter majority: the accuracy of the most frequent answer, in `0...1`.
  package static func isBetter(correct: Int, of count: Int, than majority: Double) -> Bool {
    guard count > 0 else { return false }
    let accuracy = Double(correct) / Double(count)
    let margin = 1.645 * (majority * (1 - majority) / Double(count)).squareRoot()
    return accuracy >= 1 || accuracy > majority + margin
  }
}
