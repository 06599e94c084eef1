import Foundation

/// A model's answer to one task of one episode.
package struct TaskAnswer: Sendable, Equatable, Codable {
  /// The answer as child tasks read it: an option's text, or the generated text.
  package var text: String
  /// The answer's probability. For a choice, it is the option's probability among all options, scored in the
  /// way that decides the answer. For free text, it is that of the generated tokens, including the end of the
  /// turn.
  package var probability: Double
  /// The scores of the options; `nil` for free text.
  package var choice: Choice?
  /// Whether free text was cut off at the token limit.
  package var isCut: Bool
  /// Whether the parents' answers that the task read were shortened, because its prompt would not have fitted the
  /// model's context with them.
  package var isPromptCut: Bool

  package init(
    text: String, probability: Double, choice: Choice?, isCut: Bool = false, isPromptCut: Bool = false
  ) {
    (self.isCut, self.isPromptCut) = (isCut, isPromptCut)
    self.text = text
    self.probability = probability
    self.choice = choice
  }

  /// The options of one question, scored in several ways.
  package struct Choice: Sendable, Equatable, Codable {
    /// The scores that decide the answer, in the workflow's answer form. For `letter`, they score the
    /// letter's token. Otherwise, they are the sums of the log-probabilities of the whole reply, including
    /// the end of the turn: the option's text (`text`) or `B. the option's text` (`letterText`).
    package var reply: OptionScores
    /// The scores of the letter's token at the start of the reply; `nil` if only the reply was scored.
    package var letter: OptionScores?
    /// The sums of the log-probabilities, including the end of the turn, of the whole reply or, if the reply
    /// is only a letter, of the option's text; `nil` if only the reply was scored.
    package var text: OptionScores?
    /// The same per character (Unicode scalar) of that text; `nil` if only the reply was scored.
    package var textPerCharacter: OptionScores?

    package init(
      reply: OptionScores, letter: OptionScores? = nil, text: OptionScores? = nil,
      textPerCharacter: OptionScores? = nil
    ) {
      self.reply = reply
      self.letter = letter
      self.text = text
      self.textPerCharacter = textPerCharacter
    }
  }
}

/// The log-probability of each option of a question.
package struct OptionScores: Sendable, Equatable, Codable {
  /// Natural logarithms, in the order of the options.
  package var logProbabilities: [Double]

  /// - Precondition: there is at least one option.
  package init(_ logProbabilities: [Double]) {
    precondition(!logProbabilities.isEmpty, "OptionScores: no options")
    self.logProbabilities = logProbabilities
  }

  /// The index of the highest score; the first one if several are equal.
  package var best: Int {
    var best = 0
    for index in logProbabilities.indices where logProbabilities[index] > logProbabilities[best] {
      best = index
    }
    return best
  }

  /// The model's probabilities of the options, normalised to a sum of 1.
  package var probabilities: [Double] {
    let top = logProbabilities[best]
    let exponentials = logProbabilities.map { exp($0 - top) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }
}
