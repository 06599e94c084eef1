import Foundation

/// Baselines that guess from surface features. If one of them does well on a task, a model's accuracy on it
/// says little, so every report shows them beside the model's accuracies.
package enum ShortcutBaselines {
  /// The maximum number of episodes that the baselines are fitted to, and measured on. Of more, as many at equal
  /// distances are taken: no guess gets noticeably better from more.
  package static let maximumEpisodes = 50_000

  /// Fits the baselines to `train` and measures them on `test`.
  ///
  /// If several options tie, the item counts with the expected accuracy of a random choice among them, so the
  /// results need no seed.
  ///
  /// - Parameters:
  ///   - train: the episodes from which frequencies are learnt.
  ///   - test: the episodes on which accuracy is measured.
  ///   - tasks: the tasks with their inputs and parents. Every episode has their items, as `EpisodeFile.read`
  ///     checks; a missing input counts as an empty text.
  ///   - oracleWithoutParents: for each task for which it is known, the best possible accuracy without the
  ///     parents' answers (`IoVWorld.oracleWithoutParents()`).
  ///   - onTask: called before each task, with the number of those that are done.
  package static func measure(
    train: some RandomAccessCollection<Episode>, test: some RandomAccessCollection<Episode>,
    tasks: [DatasetTask], oracleWithoutParents: [String: Double] = [:], onTask: (Int) -> Void = { _ in }
  ) -> BaselineReport {
    var measured: [TaskBaselines] = []
    for task in tasks {
      onTask(measured.count)
      measured.append(
        measure(
          task, train: samples(of: task, in: train, limit: maximumEpisodes),
          test: Array(samples(of: task, in: test, limit: maximumEpisodes)),
          oracle: oracleWithoutParents[task.name]))
    }
    return BaselineReport(tasks: measured)
  }

  /// The accuracy in `0...1` of always giving the offered answer that is most frequent in `train`, as in
  /// ``TaskBaselines/majority``.
  package static func majority(
    task: String, train: some RandomAccessCollection<Episode>, test: some RandomAccessCollection<Episode>
  ) -> Double {
    let named = DatasetTask(name: task, inputs: [], parents: [])
    var fit = Fit()
    for sample in samples(of: named, in: train, limit: .max) { fit.count(sample.item) }
    return majority(fit.frequencies, Array(samples(of: named, in: test, limit: .max)))
  }

  /// What is learnt from the training items of a task.
  private struct Fit {
    private(set) var frequencies: [String: Double] = [:]
    private(set) var positions: [Int: Double] = [:]
    private(set) var alone = NaiveBayes()
    private(set) var withParents = NaiveBayes()

    mutating func count(_ item: TaskItem) {
      frequencies[item.answerText, default: 0] += 1
      if let index = item.answerIndex { positions[index, default: 0] += 1 }
    }

    mutating func add(_ sample: Sample, hasParents: Bool) {
      count(sample.item)
      let own = ownFeatures(sample)
      alone.add(features: unique(own), label: sample.item.answerText)
      guard hasParents else { return }
      withParents.add(features: unique(own + parentFeatures(sample)), label: sample.item.answerText)
    }
  }

  private static func majority(_ frequencies: [String: Double], _ test: [Sample]) -> Double {
    let answers = frequencies.keys.sorted()
    let places = places(of: answers)
    // For free text, all items have the same candidates.
    let scores = answers.map { frequencies[$0] ?? 0 }
    let free = CreditTable(scores)
    return mean(test) { sample in
      guard sample.item.options.isEmpty else {
        return credit(
          sample.item.options.map { frequencies[$0] ?? 0 },
          right: sample.item.options.firstIndex(of: sample.item.answerText))
      }
      return free.credit(right: places[sample.item.answerText])
    }
  }

  private static func places(of answers: [String]) -> [String: Int] {
    Dictionary(answers.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// ``credit(_:right:)`` of many items with the same scores.
  private struct CreditTable {
    private let scores: [Double]
    private let best: Double?
    private let ties: Int

    init(_ scores: [Double]) {
      self.scores = scores
      let best = scores.max()
      self.best = best
      ties = scores.count { $0 == best }
    }

    func credit(right: Int?) -> Double {
      guard let right, let best, scores[right] == best else { return 0 }
      return 1 / Double(ties)
    }
  }

  /// One item with its input words and its parents' answers.
  private struct Sample {
    let item: TaskItem
    let words: [String]
    let parents: [String]
  }

  /// The items of a task, made when they are read.
  private static func samples(
    of task: DatasetTask, in episodes: some RandomAccessCollection<Episode>, limit: Int
  ) -> some Sequence<Sample> {
    let (count, taken) = (episodes.count, min(limit, episodes.count))
    return (0..<taken).lazy.map { place in
      // The product of two counts of episodes in memory does not overflow.
      episodes[episodes.index(episodes.startIndex, offsetBy: taken == count ? place : place * count / taken)]
    }.compactMap { episode in
      guard let item = episode.tasks[task.name] else { return nil }
      let text = task.inputs.compactMap { episode.inputs[$0] }.joined(separator: "\n")
      let parents = task.parents.compactMap { parent in
        episode.tasks[parent].map { "\(parent)=\($0.answerText)" }
      }
      return Sample(item: item, words: words(text), parents: parents)
    }
  }

  private static func measure(
    _ task: DatasetTask, train: some Sequence<Sample>, test: [Sample], oracle: Double?
  ) -> TaskBaselines {
    let hasParents = !task.parents.isEmpty
    var fit = Fit()
    for sample in train { fit.add(sample, hasParents: hasParents) }
    let frequencies = fit.frequencies
    let hasOptions = !test.isEmpty && test.allSatisfy { !$0.item.options.isEmpty }

    func byOption(_ score: (Int, Sample) -> Double) -> Double? {
      guard hasOptions else { return nil }
      return mean(test) { sample in
        credit(sample.item.options.indices.map { score($0, sample) }, right: sample.item.answerIndex)
      }
    }
    func byBayes(_ bayes: NaiveBayes, _ features: (Sample) -> [String]) -> Double {
      mean(test) { sample in
        let present = unique(features(sample))
        let candidates = sample.item.options.isEmpty ? bayes.labels : sample.item.options
        return credit(
          bayes.scores(candidates, features: present),
          right: candidates.firstIndex(of: sample.item.answerText))
      }
    }

    return TaskBaselines(
      task: task.name, items: test.count,
      chance: byOption { _, _ in 0 },
      majority: majority(frequencies, test),
      position: byOption { index, _ in fit.positions[index] ?? 0 },
      longest: byOption { index, sample in Double(sample.item.options[index].count) },
      shortest: byOption { index, sample in -Double(sample.item.options[index].count) },
      overlap: byOption { index, sample in overlap(sample.item.options[index], with: sample.words) },
      bayesAlone: byBayes(fit.alone, ownFeatures),
      bayesWithParents: hasParents ? byBayes(fit.withParents) { ownFeatures($0) + parentFeatures($0) } : nil,
      oracleWithoutParents: oracle)
  }

  private static func mean(_ samples: [Sample], _ credit: (Sample) -> Double) -> Double {
    samples.isEmpty ? 0 : samples.reduce(0) { $0 + credit($1) } / Double(samples.count)
  }

  /// 1 if only the right choice has the highest score, 1/k if it ties with k - 1 others, otherwise 0.
  private static func credit(_ scores: [Double], right: Int?) -> Double {
    guard let right, let best = scores.max(), scores[right] == best else { return 0 }
    return 1 / Double(scores.count { $0 == best })
  }

  private static func words(_ text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }

  private static func overlap(_ option: String, with words: [String]) -> Double {
    let own = self.words(option)
    guard !own.isEmpty else { return 0 }
    return Double(own.count { words.contains($0) }) / Double(own.count)
  }

  private static func ownFeatures(_ sample: Sample) -> [String] {
    sample.words + zip(sample.words, sample.words.dropFirst()).map { "\($0) \($1)" }
  }

  private static func parentFeatures(_ sample: Sample) -> [String] {
    let contexts = unique(sample.parents + [sample.parents.joined(separator: "&")])
    return contexts + contexts.flatMap { context in sample.words.map { "\(context)|\($0)" } }
  }

  /// Each feature once, in a fixed order, because the result of floating-point summation depends on it.
  private static func unique(_ features: [String]) -> [String] {
    var known: Set<String> = []
    return features.filter { known.insert($0).inserted }
  }
}
