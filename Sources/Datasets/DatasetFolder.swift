import Foundation
import SafeFiles

/// The three parts of a data set: what is trained on, what is held back meanwhile, and what is reported.
package struct DatasetSplits: Sendable, Equatable {
  /// The episodes to train on.
  package var train: [Episode]
  /// Held back from training, which measures itself on them.
  package var valid: [Episode]
  /// The episodes for the final figures.
  package var test: [Episode]

  /// Makes splits of their parts.
  package init(train: [Episode], valid: [Episode], test: [Episode]) {
    self.train = train
    self.valid = valid
    self.test = test
  }

  /// Cuts `episodes`, in their order, into 80 % train, 10 % valid and 10 % test (rounded down for the latter
  /// two, which get at least one each).
  ///
  /// - Precondition: there are at least three episodes.
  package init(cutting episodes: [Episode]) {
    precondition(episodes.count >= 3, "three splits need at least three episodes")
    let share = max(1, episodes.count / 10)
    let trainEnd = episodes.count - 2 * share
    train = Array(episodes[..<trainEnd])
    valid = Array(episodes[trainEnd..<(trainEnd + share)])
    test = Array(episodes[(trainEnd + share)...])
  }
}

/// A folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`.
package struct DatasetFolder: Sendable, Equatable {
  /// The part of a data set that one file holds.
  package enum Split: String, Sendable, CaseIterable {
    /// What is trained on.
    case train
    /// What is held back meanwhile.
    case valid
    /// What is reported.
    case test
  }

  /// The folder.
  package let path: String

  /// The data set in the folder `path`. Nothing is read yet.
  package init(path: String) {
    self.path = path
  }

  /// The file of one split.
  package func file(_ split: Split) -> String {
    URL(fileURLWithPath: path).appendingPathComponent("\(split.rawValue).jsonl").relativePath
  }

  /// The episodes of one split.
  ///
  /// - Parameter schema: What every episode must hold.
  /// - Throws: `EpisodeFileError`, also if the folder or the file is missing.
  package func read(
    _ split: Split, schema: EpisodeSchema = EpisodeSchema()
  ) throws(EpisodeFileError) -> [Episode] {
    try EpisodeFile.read(file(split), schema: schema)
  }

  /// All three splits.
  ///
  /// - Parameter schema: What every episode must hold.
  /// - Throws: `EpisodeFileError`, also if the folder or a file is missing.
  package func read(
    schema: EpisodeSchema = EpisodeSchema()
  ) throws(EpisodeFileError) -> DatasetSplits {
    DatasetSplits(
      train: try read(.train, schema: schema),
      valid: try read(.valid, schema: schema),
      test: try read(.test, schema: schema))
  }

  /// Writes all three files, each atomically, and makes the folder if it is not there.
  ///
  /// - Throws: `FileError` if the folder or a file cannot be written.
  package func write(_ splits: DatasetSplits) throws {
    try AtomicFolder.make(URL(fileURLWithPath: path))
    try EpisodeFile.write(splits.train, to: file(.train))
    try EpisodeFile.write(splits.valid, to: file(.valid))
    try EpisodeFile.write(splits.test, to: file(.test))
  }
}
