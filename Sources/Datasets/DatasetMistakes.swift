import Foundation
import InputErrors

/// The errors in the files of a data set.
package struct DatasetMistakes: InputErrorList, Equatable {
  /// The first error on each invalid line, file by file, up to `limit` per file.
  package let mistakes: [EpisodeFileError]

  /// The maximum number of reported errors per file.
  package static let limit = 20

  /// Checks all three files of a folder.
  ///
  /// - Parameter schema: what every episode must contain.
  /// - Throws: `DatasetMistakes` if there are errors.
  package static func refuse(
    in folder: DatasetFolder, schema: EpisodeSchema
  ) throws(DatasetMistakes) {
    var status = stat()
    guard stat(folder.path, &status) == 0 else {
      let code = errno
      let problem: EpisodeFileError.Problem =
        code == ENOENT ? .missing : .unreadable(String(cString: strerror(code)))
      throw DatasetMistakes(mistakes: [EpisodeFileError(path: folder.path, problem: problem)])
    }
    let mistakes = DatasetFolder.Split.allCases.flatMap {
      EpisodeFile.mistakes(in: folder.file($0), schema: schema, limit: limit)
    }
    if !mistakes.isEmpty { throw DatasetMistakes(mistakes: mistakes) }
  }

  /// One line per error, with file, line, field, problem and fix.
  package var messages: [String] {
    let lines = mistakes.map(\.description)
    let isCut = Dictionary(grouping: mistakes, by: \.path).values.contains { $0.count == Self.limit }
    return lines + (isCut ? ["and perhaps more: at most \(Self.limit) per file are reported"] : [])
  }
}
