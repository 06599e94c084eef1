import LanguageModels
import Tensor

/// Episodes that no phase trains on, as questions with known answers.
package protocol ValidationEpisodes: AnyObject {
  /// A task's questions, with its parents' gold answers. The gold reply is the first continuation of each
  /// question or, for a choice, that of the right option.
  ///
  /// - Throws: an error if a question cannot be rendered.
  func questions(task: String) throws -> [ScoreRequest]
  /// The validation score of those questions, from the scores of their continuations:
  /// `[question][continuation][token]`.
  func score(task: String, _ scores: [[[TokenScore]]]) -> ValidationScore
  /// The accuracy, 0...1, of always giving the answer that is most frequent in training.
  func majority(task: String) -> Double
}

/// The result of one validation: the score and its effect on the phase.
package struct ValidationReport: Sendable, Equatable, Codable {
  /// The state's score.
  package var score: ValidationScore
  /// Whether it is the phase's best state so far.
  package var isBest: Bool
  /// Its effect on the phase.
  package var change: PhasePace.Change
  /// The last step of the phase, as currently planned.
  package var end: Int
  /// Wall time.
  package var seconds: Double

  package init(score: ValidationScore, isBest: Bool, change: PhasePace.Change, end: Int, seconds: Double) {
    (self.score, self.isBest, self.change, self.end, self.seconds) = (score, isBest, change, end, seconds)
  }
}
