import Foundation
import InputErrors

/// Everything that is wrong in the files of a data set.
package struct DatasetMistakes: InputError, Equatable {
  /// Of each line the first problem, file by file, so many of a file at most.
  package let mistakes: [EpisodeFileError]

  /// The most problems of one file that are told.
  package static let limit = 20

  /// Looks through all three files of a folder.
  ///
  /// - Parameter schema: What every episode must hold.
  /// - Throws: itself, where anything is wrong.
  package static func refuse(
    in folder: DatasetFolder, schema: EpisodeSchema
  ) throws(DatasetMistakes) {
    guard FileManager.default.fileExists(atPath: folder.path) else {
      throw DatasetMistakes(mistakes: [EpisodeFileError(path: folder.path, problem: .missing)])
    }
    let mistakes = DatasetFolder.Split.allCases.flatMap {
      EpisodeFile.mistakes(in: folder.file($0), schema: schema, limit: limit)
    }
    if !mistakes.isEmpty { throw DatasetMistakes(mistakes: mistakes) }
  }

  /// A line a problem; that of each names file, line, field and remedy.
  package var description: String {
    let lines = mistakes.map(\.description)
    let isCut = Dictionary(grouping: mistakes, by: \.path).values.contains { $0.count == Self.limit }
    return (lines + (isCut ? ["and perhaps more: \(Self.limit) of a file are told"] : [])).joined(
      separator: "\n")
  }
}
