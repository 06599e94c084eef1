/// How far an accuracy measured on few episodes may be from the one on all.
package enum ScoreInterval {
  /// The score interval of Wilson (1927), which stays within 0...1 and holds for few episodes too.
  ///
  /// - Parameters:
  ///   - correct: right answers, 0...count.
  ///   - count: answers; of none nothing is known, and the interval is 0...1.
  ///   - z: the quantile of the normal distribution: 1.96 holds the accuracy on both sides in 95 % of cases.
  package static func of(correct: Int, count: Int, z: Double = 1.959_963_984_540_054) -> ClosedRange<Double> {
    guard count > 0 else { return 0...1 }
    let n = Double(count)
    let p = Double(correct) / n
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    // At the ends the formula gives them exactly; rounding does not.
    return (correct == 0 ? 0 : centre - half)...(correct == count ? 1 : centre + half)
  }
}
