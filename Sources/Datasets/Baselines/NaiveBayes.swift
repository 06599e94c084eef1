import Foundation

/// A multinomial naive Bayes classifier on sets of string features, with add-one smoothing. It measures how
/// well single words predict the answer.
struct NaiveBayes {
  /// The maximum number of classes of free text. It may have as many answers as there are samples, all of which would
  /// be compared for each test item; the answers beyond the limit are as if unseen. Items with options compare only
  /// these.
  static let maximumClasses = 1000

  private var features: [String: Int] = [:]
  private var classes: [String: Int] = [:]
  /// The classes, in the order of their first samples.
  private var labels: [String] = []
  /// The number of training samples of each class.
  private var samples: [Double] = []
  private var totals: [Double] = []
  /// How often each feature occurs in each class, if it does.
  private var counts: [[Int: Double]] = []

  /// The classes that free text is compared with: the first ``maximumClasses``.
  var candidates: ArraySlice<String> { labels.prefix(Self.maximumClasses) }

  /// Learns from one sample, whose features are all different.
  ///
  /// - Parameter isFreeText: whether the label was not one of several options.
  mutating func add(features present: [String], label: String, isFreeText: Bool) {
    guard let label = classes[label] ?? addClass(label, isFreeText) else { return }
    samples[label] += 1
    totals[label] += Double(present.count)
    for feature in present {
      let index = features[feature] ?? features.count
      features[feature] = index
      counts[label][index, default: 0] += 1
    }
  }

  private mutating func addClass(_ label: String, _ isFreeText: Bool) -> Int? {
    let index = classes.count
    guard !isFreeText || index < Self.maximumClasses else { return nil }
    classes[label] = index
    labels.append(label)
    samples.append(0)
    totals.append(0)
    counts.append([:])
    return index
  }

  /// The log-probability of each label given the features, up to a constant that is the same for every label. An
  /// unseen label scores minus infinity; unseen features are ignored.
  func scores(_ labels: [String], features present: [String]) -> [Double] {
    // In a fixed order, because the result of floating-point summation depends on it.
    let known = present.compactMap { features[$0] }.sorted()
    return labels.map { label in
      guard let index = classes[label] else { return -.infinity }
      let denominator = log(totals[index] + Double(features.count))
      return known.reduce(log(samples[index])) { sum, feature in
        sum + log((counts[index][feature] ?? 0) + 1) - denominator
      }
    }
  }
}
