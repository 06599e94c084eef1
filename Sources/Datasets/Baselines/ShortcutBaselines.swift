import Foundation

/// Baselines that guess from surface features. If one of them does well on a task, a model's accuracy on it
/// says little, so every report shows them beside the model's accuracies.
package enum ShortcutBaselines {
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
  package static func measure(
    train: [Episode], test: [Episode], tasks: [DatasetTask], oracleWithoutParents: [String: Double] = [:]
  ) -> BaselineReport {
    BaselineReport(
      tasks: tasks.map { task in
        measure(
          task, train: samples(of: task, in: train), test: samples(of: task, in: test),
          oracle: oracleWithoutParents[task.name])
      })
  }

  /// The accuracy in `0...1` of always giving the offered answer that is most frequent in `train`, as in
  /// ``TaskBaselines/majority``.
  package static func majority(task: String, train: [Episode], test: [Episode]) -> Double {
    let named = DatasetTask(name: task, inputs: [], parents: [])
    let (train, test) = (samples(of: named, in: train), samples(of: named, in: test))
    return majority(frequencies(train), test)
  }

  private static func frequencies(_ samples: [Sample]) -> [String: Double] {
    Dictionary(samples.map { ($0.item.answerText, 1.0) }, uniquingKeysWith: +)
  }

  private static func majority(_ frequencies: [String: Double], _ test: [Sample]) -> Double {
    let answers = frequencies.keys.sorted()
    return mean(test) { sample in
      let candidates = sample.candidates(answers)
      return credit(
        candidates.map { frequencies[$0] ?? 0 }, right: candidates.firstIndex(of: sample.item.answerText))
    }
  }

  /// One item with its input words and its parents' answers.
  private struct Sample {
    let item: TaskItem
    let words: [String]
    let parents: [String]

    /// The options; for a free-text item, every answer that occurs in training.
    func candidates(_ answers: [String]) -> [String] {
      item.options.isEmpty ? answers : item.options
    }
  }

  private static func samples(of task: DatasetTask, in episodes: [Episode]) -> [Sample] {
    episodes.compactMap { episode in
      guard let item = episode.tasks[task.name] else { return nil }
      let text = task.inputs.compactMap { episode.inputs[$0] }.joined(separator: "\n")
      let parents = task.parents.compactMap { parent in
        episode.tasks[parent].map { "\(parent)=\($0.answerText)" }
      }
      return Sample(item: item, words: words(text), parents: parents)
    }
  }

  private static func measure(
    _ task: DatasetTask, train: [Sample], test: [Sample], oracle: Double?
  ) -> TaskBaselines {
    let frequencies = frequencies(train)
    let positions = Dictionary(
      train.compactMap { $0.item.answerIndex }.map { ($0, 1.0) }, uniquingKeysWith: +)
    let answers = frequencies.keys.sorted()
    let hasOptions = !test.isEmpty && test.allSatisfy { !$0.item.options.isEmpty }

    func byOption(_ score: (Int, Sample) -> Double) -> Double? {
      guard hasOptions else { return nil }
      return mean(test) { sample in
        credit(sample.item.options.indices.map { score($0, sample) }, right: sample.item.answerIndex)
      }
    }
    func byBayes(_ features: (Sample) -> Set<String>) -> Double {
      let bayes = NaiveBayes(train.map { (features($0), $0.item.answerText) })
      return mean(test) { sample in
        let present = features(sample)
        let candidates = sample.candidates(answers)
        return credit(
          candidates.map { bayes.score($0, features: present) },
          right: candidates.firstIndex(of: sample.item.answerText))
      }
    }

    return TaskBaselines(
      task: task.name, items: test.count,
      chance: byOption { _, _ in 0 },
      majority: majority(frequencies, test),
      position: byOption { index, _ in positions[index] ?? 0 },
      longest: byOption { index, sample in Double(sample.item.options[index].count) },
      shortest: byOption { index, sample in -Double(sample.item.options[index].count) },
      overlap: byOption { index, sample in overlap(sample.item.options[index], with: sample.words) },
      bayesAlone: byBayes(ownFeatures),
      bayesWithParents: task.parents.isEmpty ? nil : byBayes(featuresWithParents),
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

  private static func ownFeatures(_ sample: Sample) -> Set<String> {
    Set(sample.words + zip(sample.words, sample.words.dropFirst()).map { "\($0) \($1)" })
  }

  private static func featuresWithParents(_ sample: Sample) -> Set<String> {
    let own = ownFeatures(sample)
    var contexts = Set(sample.parents)
    contexts.insert(sample.parents.joined(separator: "&"))
    return own.union(contexts).union(contexts.flatMap { context in sample.words.map { "\(context)|\($0)" } })
  }
}
