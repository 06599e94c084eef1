import Foundation

/// The spread of a figure over seeds, and whether two methods differ by more than it.
package enum PairedStatistics {
  /// Mean and sample standard deviation.
  package struct Spread: Sendable, Equatable {
    package var mean: Double
    /// 0 with one value.
    package var deviation: Double
    package var count: Int

    /// - Precondition: there is a value.
    package init(_ values: [Double]) {
      precondition(!values.isEmpty, "Spread: no values")
      count = values.count
      let mean = values.reduce(0, +) / Double(values.count)
      self.mean = mean
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    }
  }

  /// Two methods on the same seeds.
  package enum Verdict: Sendable, Equatable {
    /// The second is better, or worse, beyond chance.
    case better, worse
    /// The difference does not stand out.
    case tie
  }

  /// Compares the same episodes under the same seeds. Two tests have to agree: over episodes, that those on which one
  /// method is right more often than the other, over all seeds, are not evenly distributed (exact sign test at 5 %); over
  /// seeds, that the mean difference is not 0 (paired t-test at 5 %; skipped with fewer than three seeds) and has the
  /// same sign.
  ///
  /// - Parameter pairs: for each seed, which episodes were right: of the first method, of the second.
  package static func compare(_ pairs: [(first: String, second: String)]) -> Verdict {
    // By episode, how many more seeds the second method has right. Seeds share the episodes, so that an episode counts
    // once.
    var balance: [Int] = []
    var differences: [Double] = []
    for pair in pairs {
      var sum = 0
      for (index, (first, second)) in zip(pair.first, pair.second).enumerated() {
        if index == balance.count { balance.append(0) }
        let step = first == second ? 0 : second == "1" ? 1 : -1
        balance[index] += step
        sum += step
      }
      differences.append(Double(sum) / Double(max(pair.first.count, 1)))
    }
    let (gains, losses) = (balance.count { $0 > 0 }, balance.count { $0 < 0 })
    guard signTest(gains, losses) < 0.05 else { return .tie }
    let spread = Spread(differences)
    // Many episodes that one seed has may stand against few that all seeds have.
    guard (spread.mean > 0) == (gains > losses) else { return .tie }
    if differences.count >= 3 {
      let error = spread.deviation / Double(differences.count).squareRoot()
      guard abs(spread.mean) > quantile(differences.count - 1) * error else { return .tie }
    }
    return gains > losses ? .better : .worse
  }

  /// The probability of a split at least as uneven as this one, if both sides are equally probable.
  package static func signTest(_ first: Int, _ second: Int) -> Double {
    let (count, less) = (first + second, min(first, second))
    guard count > 0 else { return 1 }
    // Sums of binomial coefficients over 2^count, by logarithms.
    let all = lgamma(Double(count + 1)) - Double(count) * log(2.0)
    let logs = (0...less).map { (k: Int) -> Double in
      all - lgamma(Double(k + 1)) - lgamma(Double(count - k + 1))
    }
    return min(1, 2 * logs.reduce(0) { $0 + exp($1) })
  }

  /// The two-sided 95 % quantile of Student's t with some degrees of freedom; above 10, at least that.
  static func quantile(_ degrees: Int) -> Double {
    let table = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
    return degrees <= table.count
      ? table[max(degrees, 1) - 1] : degrees <= 30 ? 2.23 - 0.009 * Double(degrees - 10) : 2.05
  }
}
