/// The confidence interval of an accuracy.
package enum ScoreInterval {
  /// Wilson's score interval (1927). It stays within 0...1 and is also valid for few episodes.
  ///
  /// - Parameters:
  ///   - correct: the number of correct answers, in `0...count`.
  ///   - count: the number of answers; for 0, the interval is 0...1.
  ///   - z: the quantile of the normal distribution. Default 1.96: a two-sided 95 % interval.
  package static func of(correct: Int, count: Int, z: Double = 1.959_963_984_540_054) -> ClosedRange<Double> {
    guard count > 0 else { return 0...1 }
    let n = Double(count)
    let p = Double(correct) / n
    let centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    // At the ends, the exact result is 0 or 1; rounding would miss it.
    return (correct == 0 ? 0 : centre - half)...(correct == count ? 1 : centre + half)
  }
}
