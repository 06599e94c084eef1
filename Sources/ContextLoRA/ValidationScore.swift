import Datasets

/// The score of a task on validation episodes, which no phase trains on.
package struct ValidationScore: Sendable, Equatable, Codable {
  /// Mean cross-entropy over the tokens of the gold replies, in nats.
  package var loss: Double
  /// The number of episodes answered correctly: the right option has the most probable reply, or greedy
  /// decoding would reproduce the free text token by token.
  package var correct: Int
  /// The number of episodes.
  package var count: Int

  package init(loss: Double, correct: Int, count: Int) {
    (self.loss, self.correct, self.count) = (loss, correct, count)
  }

  /// The share of correct answers, 0...1; 0 if there are no episodes.
  package var accuracy: Double { count == 0 ? 0 : Double(correct) / Double(count) }

  /// Whether these numbers, read from a file, are possible for a validation.
  var isSound: Bool { loss.isFinite && count >= 0 && (0...count).contains(correct) }

  /// Whether this state is better than the other one: by accuracy, ties by loss. A loss that is not finite
  /// never wins.
  package func isBetter(than other: ValidationScore?) -> Bool {
    guard loss.isFinite else { return false }
    guard let other else { return true }
    return (accuracy, -loss) > (other.accuracy, -other.loss)
  }

  /// Whether training still makes progress: a higher accuracy, or the same one at a loss that is lower by
  /// more than 2 % and 0.01 nats.
  func improves(on other: ValidationScore?) -> Bool {
    guard loss.isFinite else { return false }
    guard let other else { return true }
    if accuracy != other.accuracy { return accuracy > other.accuracy }
    return loss < other.loss - max(0.02 * other.loss, 0.01)
  }

  /// Whether the accuracy exceeds that of always giving the most frequent answer, `majority`, by more than
  /// chance.
  package func isLearnt(majority: Double) -> Bool {
    loss.isFinite && MajorityTest.isBetter(correct: correct, of: count, than: majority)
  }

  /// Whether the task needs no more steps than planned: every episode is right or, with a confidence of 80 %
  /// (one-sided, ``ScoreInterval``), at least 95 % of all episodes would be.
  ///
  /// With fewer episodes, fewer mistakes are allowed: none of 40, 1 of 64, 3 of 100. One mistake in 40 looks
  /// like 97.5 %, but one task of the example then had 93 % on the test episodes.
  package var isGoodEnough: Bool {
    guard count > 0 else { return false }
    return correct == count
      || ScoreInterval.of(correct: correct, count: count, z: 0.841_621).lowerBound >= 0.95
  }
}
