import LanguageModels
import Tensor

/// Episodes that no phase trains on, put as questions whose answers are known.
package protocol ValidationEpisodes: AnyObject {
  /// A task's questions, with the recorded answers of its parents. The first continuation of each question, or,
  /// for a choice, the one of the right option, is the recorded reply.
  ///
  /// - Throws: what cannot be rendered.
  func questions(task: String) throws -> [ScoreRequest]
  /// What the scores of those questions' continuations are worth: `[question][continuation][token]`.
  func score(task: String, _ scores: [[[TokenScore]]]) -> ValidationScore
  /// The accuracy, 0...1, of always giving the answer that is most frequent in training.
  func majority(task: String) -> Double
}

/// What one validation found, beside the phase's own score.
package struct ValidationReport: Sendable, Equatable, Codable {
  /// The state's score.
  package var score: ValidationScore
  /// Whether it is the phase's best state so far.
  package var isBest: Bool
  /// What it changed for the phase.
  package var change: PhasePace.Change
  /// The last step of the phase, as planned now.
  package var end: Int
  /// Wall time.
  package var seconds: Double

  /// Takes the parts.
  package init(score: ValidationScore, isBest: Bool, change: PhasePace.Change, end: Int, seconds: Double) {
    (self.score, self.isBest, self.change, self.end, self.seconds) = (score, isBest, change, end, seconds)
  }
}
