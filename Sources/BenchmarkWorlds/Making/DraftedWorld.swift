import Datasets
import SeededRandom

/// An episode before it has an identifier: the inputs by name and one item per task.
package struct Draft: Sendable {
  var inputs: [String: String]
  var items: [String: TaskItem]
}

/// A world that describes one random situation at a time. The extension makes data sets of them.
package protocol DraftedWorld: BenchmarkWorld {
  /// Draws one situation and describes it.
  func draft(from generator: inout SeededGenerator) -> Draft
}

/// The maximum number of episodes of a data set. More would run out of wordings, which are never repeated.
package let maximumEpisodesOfWorlds = 10_000

extension DraftedWorld {
  package func splits(
    episodes count: Int, seed: UInt64, noise: [String: Double] = [:]
  ) throws -> DatasetSplits {
    try check(episodes: count, allowed: 10...maximumEpisodesOfWorlds, noise: noise)
    var splits = DatasetSplits(cutting: try generate(episodes: count, seed: seed))
    LabelNoise.add(noise, to: &splits.train, tasks: tasks.map(\.name), seed: seed)
    return splits
  }

  /// Generates episodes without noise. No two of them have the same texts for the own inputs of any task, so every
  /// split into training and test data is free of overlap. Fewer episodes are a beginning of more.
  ///
  /// - Throws: `WorldError` if the number of episodes is negative or above ``maximumEpisodesOfWorlds``.
  package func generate(episodes count: Int, seed: UInt64) throws(WorldError) -> [Episode] {
    try check(episodes: count, allowed: 0...maximumEpisodesOfWorlds)
    var generator = SeededGenerator(seed: seed)
    var used: [String: Set<[String]>] = [:]
    var episodes: [Episode] = []
    episodes.reserveCapacity(count)
    while episodes.count < count {
      let draft = draft(from: &generator)
      let keys = tasks.map { task in (task.name, task.inputs.compactMap { draft.inputs[$0] }) }
      if keys.contains(where: { used[$0.0]?.contains($0.1) ?? false }) { continue }
      for (task, key) in keys { used[task, default: []].insert(key) }
      let number = String(episodes.count)
      let id = "\(name)-" + String(repeating: "0", count: max(0, 6 - number.count)) + number
      episodes.append(Episode(id: id, inputs: draft.inputs, tasks: draft.items))
    }
    return episodes
  }
}
