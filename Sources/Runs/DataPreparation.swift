import Datasets
import Evaluation
import Foundation
import Workflows

/// How far the reading or the rendering of a file of episodes is.
package struct DataPreparation: Sendable, Equatable {
  /// What is done with the file.
  package enum Stage: String, Sendable {
    /// It is read; counted in bytes.
    case reading
    /// Its prompts are rendered; counted in episodes.
    case rendering
    /// Its shortcut baselines are measured; counted in tasks.
    case measuring
  }

  package var stage: Stage
  /// The file.
  package var path: String
  /// What is done so far.
  package var done: Int
  /// All that is to be done.
  package var all: Int

  package init(_ stage: Stage, _ path: String, done: Int, all: Int) {
    (self.stage, self.path, self.done, self.all) = (stage, path, done, all)
  }
}

/// Gold answers of a file's episodes that are longer than generated answers may be.
package struct LongAnswersOfFile: Sendable, Equatable, Codable {
  /// The file.
  package var file: String
  package var answers: LongAnswers

  /// One line with the file, the problem and the fix.
  package var text: String { "\(file): \(answers.text)" }
}

/// A file of episodes that training does not use, and that cannot be read.
package struct UnreadFile: Sendable, Equatable, Codable {
  /// The file, the line, the problem and the fix.
  package var reason: String

  /// One line with the file, the problem and what follows.
  package var text: String { "\(reason) (training continues, because it does not use this file)" }
}

/// What a check of the data found that does not prevent training.
struct DataNotes: Sendable, Equatable {
  /// The gold answers that are longer than generated ones may be.
  var longAnswers: [LongAnswersOfFile] = []
  /// The files that training does not use, and that cannot be read.
  var unreadFiles: [UnreadFile] = []

  /// The events that report them.
  var events: [TrainingRun.Event] {
    unreadFiles.map { .unreadFile($0) } + longAnswers.map { .longAnswers($0) }
  }
}

extension WorkflowMaterial {
  /// Renders every prompt of all splits of a data set.
  ///
  /// - Returns: the gold answers that are longer than generated ones may be.
  /// - Throws: `PromptMistakes` or `PromptError` for the first split with episodes that the model cannot be shown.
  package func check(
    _ data: DatasetFolder, _ tables: DatasetTables, onProgress: (DataPreparation) throws -> Void
  ) throws -> [LongAnswersOfFile] {
    try DatasetFolder.Split.allCases.flatMap { split in
      try check(
        tables[split], in: data.file(split), replies: split == .train ? .gold : .all, onProgress: onProgress)
    }
  }

  /// Renders every prompt of one file.
  func check(
    _ episodes: EpisodeTable, in path: String, replies: PromptCheck.Replies,
    onProgress: (DataPreparation) throws -> Void
  ) throws -> [LongAnswersOfFile] {
    let result = try PromptCheck(prompts).check(episodes, in: path, replies: replies) {
      try onProgress(DataPreparation(.rendering, path, done: $0, all: $1))
    }
    return result.longAnswers.map { LongAnswersOfFile(file: path, answers: $0) }
  }
}
