/// A model's answer to one task of one episode.
package struct TaskAnswer: Sendable, Equatable, Codable {
  /// The answer's text, as children read it: an option's text, or what was generated.
  package var text: String
  /// Its probability: among the options by the way that decides, or of the generated tokens with the end of
  /// the turn.
  package var probability: Double
  /// How the options were scored; `nil` for free text.
  package var choice: Choice?
  /// Whether free text ended because it had grown to the most tokens, and not by itself.
  package var isCut: Bool

  /// Takes the parts.
  package init(text: String, probability: Double, choice: Choice?, isCut: Bool = false) {
    self.isCut = isCut
    self.text = text
    self.probability = probability
    self.choice = choice
  }

  /// The options of one question, scored in several ways.
  package struct Choice: Sendable, Equatable, Codable {
    /// By what the workflow's answer form trains, and what decides: the letter's token for `letter`; else the
    /// sum of the log-probabilities of the whole reply with its end of turn, which is the option's text
    /// (`text`) or `B. the option's text` (`letterText`).
    package var reply: OptionScores
    /// By the letter's token at the answer position; `nil` where only the reply was asked for.
    package var letter: OptionScores?
    /// By text, the sum of its log-probabilities with the end of turn: of the whole trained reply, or of the
    /// option's text where the reply is a letter alone. `nil` where only the reply was asked for.
    package var text: OptionScores?
    /// The same for each character (Unicode scalar) of that text. `nil` where only the reply was asked for.
    package var textPerCharacter: OptionScores?

    /// Takes the scores.
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

/// A log-probability for each option of a question.
package struct OptionScores: Sendable, Equatable, Codable {
  /// Natural logarithms, in the order of the options.
  package var logProbabilities: [Double]

  /// - Precondition: there is at least one option.
  package init(_ logProbabilities: [Double]) {
    precondition(!logProbabilities.isEmpty, "OptionScores: no options")
    self.logProbabilities = logProbabilities
  }

  /// The index of the largest, of equal ones the first.
  package var best: Int {
    var best = 0
    for index in logProbabilities.indices where logProbabilities[index] > logProbabilities[best] {
      best = index
    }
    return best
  }

  /// The options' probabilities, adding up to 1: those of the model, taken among the options alone.
  package var probabilities: [Double] {
    let top = logProbabilities[best]
    let exponentials = logProbabilities.map { exponential($0 - top) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }
}
