import Datasets
import Foundation

/// A task's answer to one episode of an evaluation: a line of a file of predictions.
package struct TaskPrediction: Sendable, Equatable, Codable {
  /// Whose answers of its parents it read.
  package enum Parents: String, Sendable, Codable {
    /// The recorded ones.
    case gold
    /// The model's own.
    case chained
  }

  /// The episode's identifier.
  package var episode: String
  /// The task.
  package var task: String
  /// Whose answers of its parents it read; `gold` for a task without parents.
  package var parents: Parents
  /// By parent, what it read.
  package var read: [String: String]
  /// The model's answer.
  package var answer: String
  /// The recorded answer.
  package var expected: String
  /// Whether the two are the same; free text by normalised exact match.
  package var right: Bool
  /// The answer's probability, as in ``TaskAnswer/probability``.
  package var probability: Double

  /// One line an episode and way of reading the parents' answers.
  ///
  /// - Parameters:
  ///   - gold: the answers with recorded parents' answers, one an episode.
  ///   - chained: those with the model's own.
  ///   - read: what the latter read of each parent.
  /// - Precondition: all have one element an episode.
  package static func lines(
    task: String, parents: [String], episodes: [Episode], gold: [TaskAnswer], chained: [TaskAnswer],
    read: [[String: String]]
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
        right: episode.isRight(answer, task: task) ?? false, probability: answer.probability)
    }
    return episodes.indices.flatMap { index in
      [line(index, .gold, episodes[index].goldAnswers(of: parents), gold[index])]
        + (parents.isEmpty ? [] : [line(index, .chained, read[index], chained[index])])
    }
  }
}

extension Sequence<TaskPrediction> {
  /// JSON lines, keys sorted.
  ///
  /// - Throws: what encoding throws for a number that JSON cannot hold.
  package func jsonLines() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try reduce(into: Data()) { data, prediction in
      data += try encoder.encode(prediction)
      data.append(0x0A)
    }
  }
}
