import Foundation
import SafeFiles

/// The three splits of a data set: training, validation and test.
package struct DatasetSplits: Sendable, Equatable {
  /// The episodes to train on.
  package var train: [Episode]
  /// The validation episodes, on which training measures itself.
  package var valid: [Episode]
  /// The test episodes, on which the final accuracies are measured.
  package var test: [Episode]

  package init(train: [Episode], valid: [Episode], test: [Episode]) {
    self.train = train
    self.valid = valid
    self.test = test
  }

  /// Splits `episodes`, in their order, into 80 % train, 10 % valid and 10 % test. The last two are rounded
  /// down, but have at least one episode each.
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

/// The three splits of a data set, as tables.
package struct DatasetTables: Sendable {
  /// The episodes to train on.
  package var train: EpisodeTable
  /// The validation episodes.
  package var valid: EpisodeTable
  /// The test episodes.
  package var test: EpisodeTable

  /// The episodes of a split.
  package subscript(split: DatasetFolder.Split) -> EpisodeTable {
    switch split {
    case .train: train
    case .valid: valid
    case .test: test
    }
  }
}

/// A folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`.
package struct DatasetFolder: Sendable, Equatable {
  /// A split of the data set, stored in one file.
  package enum Split: String, Sendable, CaseIterable {
    /// Training.
    case train
    /// Validation during training.
    case valid
    /// The final measurement.
    case test
  }

  package let path: String

  /// A data set in the folder `path`. The folder is not accessed yet.
  package init(path: String) {
    self.path = path
  }

  /// The path of a split's file.
  package func file(_ split: Split) -> String {
    URL(fileURLWithPath: path).appendingPathComponent("\(split.rawValue).jsonl").relativePath
  }

  /// Reads the episodes of one split.
  ///
  /// - Parameter schema: what every episode must contain.
  /// - Throws: `EpisodeFileError`, also if the folder or the file is missing.
  package func read(
    _ split: Split, schema: EpisodeSchema = EpisodeSchema()
  ) throws(EpisodeFileError) -> [Episode] {
    try EpisodeFile.read(file(split), schema: schema)
  }

  /// Reads the episodes of one split into a table.
  ///
  /// - Parameters:
  ///   - schema: what every episode must contain.
  ///   - onProgress: called now and then with the bytes read so far and those of the file.
  /// - Throws: `EpisodeFileError`, also if the folder or the file is missing.
  package func table(
    _ split: Split, schema: EpisodeSchema = EpisodeSchema(), onProgress: (Int, Int) -> Void = { _, _ in }
  ) throws(EpisodeFileError) -> EpisodeTable {
    try EpisodeFile.table(file(split), schema: schema, onProgress: onProgress)
  }

  /// Reads all three splits into tables.
  ///
  /// - Parameters:
  ///   - schema: what every episode must contain.
  ///   - onProgress: called now and then with the split, the bytes read so far and those of the file.
  /// - Throws: `EpisodeFileError`, also if the folder or a file is missing.
  package func tables(
    schema: EpisodeSchema = EpisodeSchema(), onProgress: (Split, Int, Int) -> Void = { _, _, _ in }
  ) throws(EpisodeFileError) -> DatasetTables {
    DatasetTables(
      train: try table(.train, schema: schema) { onProgress(.train, $0, $1) },
      valid: try table(.valid, schema: schema) { onProgress(.valid, $0, $1) },
      test: try table(.test, schema: schema) { onProgress(.test, $0, $1) })
  }

  /// Reads all three splits.
  ///
  /// - Parameter schema: what every episode must contain.
  /// - Throws: `EpisodeFileError`, also if the folder or a file is missing.
  package func read(
    schema: EpisodeSchema = EpisodeSchema()
  ) throws(EpisodeFileError) -> DatasetSplits {
    DatasetSplits(
      train: try read(.train, schema: schema),
      valid: try read(.valid, schema: schema),
      test: try read(.test, schema: schema))
  }

  /// Writes all three files, each atomically. Creates the folder if it does not exist.
  ///
  /// - Throws: `FileError` if the folder or a file cannot be written.
  package func write(_ splits: DatasetSplits) throws {
    try AtomicFolder.make(URL(fileURLWithPath: path))
    try EpisodeFile.write(splits.train, to: file(.train))
    try EpisodeFile.write(splits.valid, to: file(.valid))
    try EpisodeFile.write(splits.test, to: file(.test))
  }
}
