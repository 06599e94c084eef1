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
  ///     parents' answers.
  ///   - onTask: called before each pass over the episodes, with the number of tasks that are done.
  package static func measure(
    train: some RandomAccessCollection<Episode>, test: some RandomAccessCollection<Episode>,
    tasks: [DatasetTask], oracleWithoutParents: [String: Double] = [:], onTask: (Int) -> Void = { _ in }
  ) -> BaselineReport {
    var measured: [TaskBaselines] = []
    while measured.count < tasks.count {
      onTask(measured.count)
      measured += measure(
        Array(tasks[measured.count...].prefix(tasksAtOnce)), train: train, test: test,
        oracles: oracleWithoutParents)
    }
    return BaselineReport(tasks: measured)
  }

  /// The number of tasks that are measured in one pass over the episodes: an episode is decoded as a whole, but what
  /// is learnt of each task takes memory, much of it for long texts.
  private static let tasksAtOnce = 4

  /// The accuracy in `0...1` of always giving the offered answer that is most frequent in `train`, as in
  /// ``TaskBaselines/majority``.
  package static func majority(
    task: String, train: some RandomAccessCollection<Episode>, test: some RandomAccessCollection<Episode>
  ) -> Double {
    var fit = Fit()
    for episode in train { if let item = episode.tasks[task] { fit.count(item) } }
    return majority(fit.frequencies, test.lazy.compactMap { $0.tasks[task] })
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
      let (label, isFreeText) = (sample.item.answerText, sample.item.options.isEmpty)
      alone.add(features: unique(own), label: label, isFreeText: isFreeText)
      guard hasParents else { return }
      withParents.add(
        features: unique(own + parentFeatures(sample)), label: label, isFreeText: isFreeText)
    }
  }

  private static func majority(_ frequencies: [String: Double], _ test: some Sequence<TaskItem>) -> Double {
    let answers = frequencies.keys.sorted()
    let places = places(of: answers)
    let texts = CreditTable(answers.map { frequencies[$0] ?? 0 })
    var (sum, count) = (0.0, 0)
    for item in test {
      count += 1
      sum +=
        item.options.isEmpty
        ? texts.credit(right: places[item.answerText])
        : credit(
          item.options.map { frequencies[$0] ?? 0 }, right: item.options.firstIndex(of: item.answerText))
    }
    return count == 0 ? 0 : sum / Double(count)
  }

  private static func places(of answers: [String]) -> [String: Int] {
    Dictionary(answers.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// ``credit(_:right:)`` of many items with the same scores, as those of free text.
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

  /// The episodes, or as many of them as `limit` at equal distances.
  private static func taken<Episodes: RandomAccessCollection<Episode>>(
    _ episodes: Episodes, limit: Int
  ) -> some Sequence<Episode> {
    let (count, taken) = (episodes.count, min(limit, episodes.count))
    return (0..<taken).lazy.map { place in
      // The product of two counts of episodes in memory does not overflow.
      episodes[episodes.index(episodes.startIndex, offsetBy: taken == count ? place : place * count / taken)]
    }
  }

  private static func sample(of task: DatasetTask, in episode: Episode) -> Sample? {
    guard let item = episode.tasks[task.name] else { return nil }
    let text = task.inputs.compactMap { episode.inputs[$0] }.joined(separator: "\n")
    let parents = task.parents.compactMap { parent in
      episode.tasks[parent].map { "\(parent)=\($0.answerText)" }
    }
    return Sample(item: item, words: words(text), parents: parents)
  }

  private static func measure(
    _ tasks: [DatasetTask], train: some RandomAccessCollection<Episode>,
    test: some RandomAccessCollection<Episode>, oracles: [String: Double]
  ) -> [TaskBaselines] {
    var fits = tasks.map { _ in Fit() }
    for episode in taken(train, limit: maximumEpisodes) {
      for (place, task) in tasks.enumerated() {
        guard let sample = sample(of: task, in: episode) else { continue }
        fits[place].add(sample, hasParents: !task.parents.isEmpty)
      }
    }
    var tallies = fits.map(Tally.init)
    for episode in taken(test, limit: maximumEpisodes) {
      for (place, task) in tasks.enumerated() {
        guard let sample = sample(of: task, in: episode) else { continue }
        tallies[place].add(sample, hasParents: !task.parents.isEmpty)
      }
    }
    return zip(tasks, tallies).map { task, tally in tally.baselines(of: task, oracle: oracles[task.name]) }
  }

  /// The sums of the baselines' credits over the test items of a task.
  private struct Tally {
    private let fit: Fit
    private let places: [String: Int]
    private let majorityOfTexts: CreditTable
    private var items = 0
    private var haveOptions = true
    private var (chance, majority, position, longest, shortest, overlap) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    private var (bayesAlone, bayesWithParents) = (0.0, 0.0)

    init(_ fit: Fit) {
      self.fit = fit
      let answers = fit.frequencies.keys.sorted()
      places = ShortcutBaselines.places(of: answers)
      majorityOfTexts = CreditTable(answers.map { fit.frequencies[$0] ?? 0 })
    }

    mutating func add(_ sample: Sample, hasParents: Bool) {
      let item = sample.item
      items += 1
      func credit(_ score: (Int) -> Double) -> Double {
        ShortcutBaselines.credit(item.options.indices.map(score), right: item.answerIndex)
      }
      if item.options.isEmpty {
        haveOptions = false
        majority += majorityOfTexts.credit(right: places[item.answerText])
      } else {
        chance += credit { _ in 0 }
        majority += ShortcutBaselines.credit(
          item.options.map { fit.frequencies[$0] ?? 0 }, right: item.options.firstIndex(of: item.answerText))
        position += credit { fit.positions[$0] ?? 0 }
        longest += credit { Double(item.options[$0].count) }
        shortest += credit { -Double(item.options[$0].count) }
        overlap += credit { ShortcutBaselines.overlap(item.options[$0], with: sample.words) }
      }
      let own = ownFeatures(sample)
      bayesAlone += bayesCredit(fit.alone, own, sample)
      if hasParents { bayesWithParents += bayesCredit(fit.withParents, own + parentFeatures(sample), sample) }
    }

    private func bayesCredit(_ bayes: NaiveBayes, _ features: [String], _ sample: Sample) -> Double {
      let candidates = sample.item.options.isEmpty ? Array(bayes.candidates) : sample.item.options
      return ShortcutBaselines.credit(
        bayes.scores(candidates, features: unique(features)),
        right: candidates.firstIndex(of: sample.item.answerText))
    }

    func baselines(of task: DatasetTask, oracle: Double?) -> TaskBaselines {
      func mean(_ sum: Double) -> Double { items == 0 ? 0 : sum / Double(items) }
      func ofOptions(_ sum: Double) -> Double? { haveOptions && items > 0 ? mean(sum) : nil }
      return TaskBaselines(
        task: task.name, items: items, chance: ofOptions(chance), majority: mean(majority),
        position: ofOptions(position), longest: ofOptions(longest), shortest: ofOptions(shortest),
        overlap: ofOptions(overlap), bayesAlone: mean(bayesAlone),
        bayesWithParents: task.parents.isEmpty ? nil : mean(bayesWithParents), oracleWithoutParents: oracle)
    }
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
