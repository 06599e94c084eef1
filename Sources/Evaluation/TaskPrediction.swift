import Datasets
import Foundation

/// A task's answer to one episode of an evaluation: one line of a predictions file.
package struct TaskPrediction: Sendable, Equatable, Codable {
  /// Which answers of its parents the task read.
  package enum Parents: String, Sendable, Codable {
    /// Gold answers.
    case gold
    /// The model's predicted answers.
    case chained
  }

  /// Where answers come from.
  package struct Source: Sendable, Equatable, Codable {
    /// The split of the episodes, and the folder of the data.
    package var split, data: String
    /// The SHA-256 of the file with the trained columns; `nil` for the base model.
    package var adapter: String?

    package init(split: String, data: String, adapter: String?) {
      (self.split, self.data, self.adapter) = (split, data, adapter)
    }
  }

  /// The episode's identifier.
  package var episode: String
  package var task: String
  /// Which answers of its parents the task read; `gold` for a task without parents.
  package var parents: Parents
  /// The answers that the task read, by parent.
  package var read: [String: String]
  /// The model's answer.
  package var answer: String
  /// The gold answer.
  package var expected: String
  /// Whether the two are equal; for free text, whether they match exactly after normalisation.
  package var right: Bool
  /// The answer's probability, as in ``TaskAnswer/probability``.
  package var probability: Double
  /// Whether free text was cut off at the token limit.
  package var cut: Bool
  /// Whether the parents' answers were shortened, because the prompt would not have fitted the model's context.
  package var promptCut: Bool
  /// `nil` in files of earlier versions.
  package var source: Source?

  package init(
    episode: String, task: String, parents: Parents, read: [String: String], answer: String, expected: String,
    right: Bool, probability: Double, cut: Bool, promptCut: Bool, source: Source?
  ) {
    (self.episode, self.task, self.parents, self.read) = (episode, task, parents, read)
    (self.answer, self.expected, self.right) = (answer, expected, right)
    (self.probability, self.cut, self.promptCut, self.source) = (probability, cut, promptCut, source)
  }

  /// One line per episode with gold parents' answers and, if the task has parents, one with predicted ones.
  ///
  /// - Parameters:
  ///   - gold: the answers given the parents' gold answers.
  ///   - chained: the answers given the parents' predicted answers.
  ///   - read: the predicted answers that `chained` read, by parent.
  ///   - source: where the answers come from.
  /// - Precondition: `gold`, `chained` and `read` have one element per episode.
  package static func lines(
    task: String, parents: [String], episodes: [Episode], gold: [TaskAnswer], chained: [TaskAnswer],
    read: [[String: String]], source: Source
  ) -> [TaskPrediction] {
    precondition(
      [gold.count, chained.count, read.count].allSatisfy { $0 == episodes.count },
      "TaskPrediction: one answer an episode")
    func line(_ index: Int, _ kind: Parents, _ texts: [String: String], _ answer: TaskAnswer)
      -> TaskPrediction
    {
      let episode = episodes[index]
      return TaskPrediction(
        episode: episode.id, task: task, parents: kind, read: texts, answer: answer.text,
        expected: episode.tasks[task]?.answerText ?? "",
        right: episode.isRight(answer, task: task) ?? false, probability: answer.probability,
        cut: answer.isCut, promptCut: answer.isPromptCut, source: source)
    }
    return episodes.indices.flatMap { index in
      [line(index, .gold, episodes[index].goldAnswers(of: parents), gold[index])]
        + (parents.isEmpty ? [] : [line(index, .chained, read[index], chained[index])])
    }
  }
}

extension Sequence<TaskPrediction> {
  /// The predictions as JSON lines, with sorted keys.
  ///
  /// - Throws: an encoding error for a number that JSON cannot represent.
  package func jsonLines() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try reduce(into: Data()) { data, prediction in
      data += try encoder.encode(prediction)
      data.append(0x0A)
    }
  }
}
