import Foundation

/// A multinomial naive Bayes classifier on sets of string features, with add-one smoothing. It measures how
/// well single words predict the answer.
struct NaiveBayes {
  private var features: [String: Int] = [:]
  private var classes: [String: Int] = [:]
  /// The number of training samples of each class.
  private var samples: [Double] = []
  private var totals: [Double] = []
  /// How often each feature occurs in each class.
  private var counts: [[Double]] = []

  init(_ examples: [(features: Set<String>, label: String)]) {
    for example in examples {
      let label = classes[example.label] ?? addClass(example.label)
      samples[label] += 1
      totals[label] += Double(example.features.count)
      for feature in example.features {
        let index = features[feature] ?? features.count
        features[feature] = index
        if counts[label].count <= index {
          counts[label] += [Double](repeating: 0, count: index + 1 - counts[label].count)
        }
        counts[label][index] += 1
      }
    }
  }

  private mutating func addClass(_ label: String) -> Int {
    let index = classes.count
    classes[label] = index
    samples.append(0)
    totals.append(0)
    counts.append([])
    return index
  }

  /// The log-probability of `label` given the features, up to a constant that is the same for every label. An
  /// unseen label scores minus infinity; unseen features are ignored.
  func score(_ label: String, features present: Set<String>) -> Double {
    guard let index = classes[label] else { return -.infinity }
    // In a fixed order, because the result of floating-point summation depends on it.
    let known = present.compactMap { features[$0] }.sorted()
    let denominator = log(totals[index] + Double(features.count))
    return known.reduce(log(samples[index])) { sum, feature in
      let count = feature < counts[index].count ? counts[index][feature] : 0
      return sum + log(count + 1) - denominator
    }
  }
}
