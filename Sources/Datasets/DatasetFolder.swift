import Foundation

/// The three parts of a data set: what is trained on, what is held back meanwhile, and what is reported.
public struct DatasetSplits: Sendable, Equatable {
  /// The episodes to train on.
  public var train: [Episode]
  /// Held back from training, which measures itself on them.
  public var valid: [Episode]
  /// The episodes for the final figures.
  public var test: [Episode]

  /// Makes splits of their parts.
  public init(train: [Episode], valid: [Episode], test: [Episode]) {
    self.train = train
    self.valid = valid
    self.test = test
  }

  /// Cuts `episodes`, in their order, into 80 % train, 10 % valid and 10 % test (rounded down for the latter
  /// two, which get at least one each).
  ///
  /// - Precondition: there are at least three episodes.
  public init(cutting episodes: [Episode]) {
    precondition(episodes.count >= 3, "three splits need at least three episodes")
    let share = max(1, episodes.count / 10)
    let trainEnd = episodes.count - 2 * share
    train = Array(episodes[..<trainEnd])
    valid = Array(episodes[trainEnd..<(trainEnd + share)])
    test = Array(episodes[(trainEnd + share)...])
  }
}

/// A folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`.
public struct DatasetFolder: Sendable, Equatable {
  /// The part of a data set that one file holds.
  public enum Split: String, Sendable, CaseIterable {
    /// What is trained on.
    case train
    /// What is held back meanwhile.
    case valid
    /// What is reported.
    case test
  }

  /// The folder.
  public let path: String

  /// The data set in the folder `path`. Nothing is read yet.
  public init(path: String) {
    self.path = path
  }

  /// The file of one split.
  public func file(_ split: Split) -> String {
    URL(fileURLWithPath: path).appendingPathComponent("\(split.rawValue).jsonl").relativePath
  }

  /// The episodes of one split.
  ///
  /// - Parameters: as for `EpisodeFile.read(_:tasks:inputs:)`.
  /// - Throws: `EpisodeFileError`, also if the folder or the file is missing.
  public func read(
    _ split: Split, tasks: [String] = [], inputs: [String: [String]] = [:]
  ) throws(EpisodeFileError) -> [Episode] {
    try EpisodeFile.read(file(split), tasks: tasks, inputs: inputs)
  }

  /// All three splits.
  ///
  /// - Parameters: as for `EpisodeFile.read(_:tasks:inputs:)`.
  /// - Throws: `EpisodeFileError`, also if the folder or a file is missing.
  public func read(
    tasks: [String] = [], inputs: [String: [String]] = [:]
  ) throws(EpisodeFileError) -> DatasetSplits {
    DatasetSplits(
      train: try read(.train, tasks: tasks, inputs: inputs),
      valid: try read(.valid, tasks: tasks, inputs: inputs),
      test: try read(.test, tasks: tasks, inputs: inputs))
  }

  /// Writes all three files, each atomically, and makes the folder if it is not there.
  ///
  /// - Throws: `EpisodeFileError` if the folder or a file cannot be written.
  public func write(_ splits: DatasetSplits) throws(EpisodeFileError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw EpisodeFileError(path: path, problem: .unwritable("the folder cannot be made"))
    }
    try EpisodeFile.write(splits.train, to: file(.train))
    try EpisodeFile.write(splits.valid, to: file(.valid))
    try EpisodeFile.write(splits.test, to: file(.test))
  }
}
