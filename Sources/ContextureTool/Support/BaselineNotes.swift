import Datasets
import TextTables

extension BaselineReport {
  /// A line for each file of which the baselines use only some of the episodes.
  ///
  /// - Parameter splits: each split's name and its number of episodes.
  static func limitNotes(_ splits: [(name: String, count: Int)]) -> [String] {
    splits.filter { $0.count > ShortcutBaselines.maximumEpisodes }.map { split in
      "Note: the baselines use \(NumberText.grouped(ShortcutBaselines.maximumEpisodes)) of the "
        + "\(NumberText.grouped(split.count)) episodes of \(split.name), at equal distances."
    }
  }
}
