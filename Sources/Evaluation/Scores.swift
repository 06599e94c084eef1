import Datasets

/// The number of right answers to a task, for each way of scoring.
package struct Scores: Sendable, Equatable, Codable {
  /// The number of episodes.
  package var count: Int
  /// The number of right answers, as child tasks read them. Free text is right if it matches exactly after
  /// normalisation.
  package var correct: Int
  /// The number of episodes with options.
  package var multipleChoice: Int
  /// Of the episodes with options, the number that is right if scored by the letter.
  package var letterCorrect: Int
  /// The same, scored by the text: the sum of its log-probabilities.
  package var textCorrect: Int
  /// The same, scored by the text's log-probability per character.
  package var textPerCharacterCorrect: Int
  /// The number of free-text answers that were cut off at the token limit.
  package var cutAnswers: Int
  /// The number of prompts in which the parents' answers were shortened to fit the model's context.
  package var cutPrompts: Int

  package init(
    count: Int, correct: Int, multipleChoice: Int, letterCorrect: Int, textCorrect: Int,
    textPerCharacterCorrect: Int, cutAnswers: Int = 0, cutPrompts: Int = 0
  ) {
    (self.cutAnswers, self.cutPrompts) = (cutAnswers, cutPrompts)
    self.count = count
    self.correct = correct
    self.multipleChoice = multipleChoice
    self.letterCorrect = letterCorrect
    self.textCorrect = textCorrect
    self.textPerCharacterCorrect = textPerCharacterCorrect
  }

  /// Counts the right answers to `task`.
  ///
  /// - Precondition: there is one answer per episode, with the options scored in all ways.
  package init(_ answers: [TaskAnswer], task: String, episodes: [Episode]) {
    precondition(answers.count == episodes.count, "Scores: one answer an episode")
    self.init(
      count: answers.count, correct: 0, multipleChoice: 0, letterCorrect: 0, textCorrect: 0,
      textPerCharacterCorrect: 0, cutAnswers: answers.count(where: \.isCut),
      cutPrompts: answers.count(where: \.isPromptCut))
    for (answer, episode) in zip(answers, episodes) {
      guard let item = episode.tasks[task] else { preconditionFailure("Scores: no such task") }
      switch item.answer {
      case .text(let expected):
        correct += AnswerMatching.matches(answer.text, expected) ? 1 : 0
      case .unknown: break
      case .option(let index):
        guard let choice = answer.choice, let letter = choice.letter, let text = choice.text,
          let perCharacter = choice.textPerCharacter
        else { preconditionFailure("Scores: options are not scored in all ways") }
        multipleChoice += 1
        correct += choice.reply.best == index ? 1 : 0
        letterCorrect += letter.best == index ? 1 : 0
        textCorrect += text.best == index ? 1 : 0
        textPerCharacterCorrect += perCharacter.best == index ? 1 : 0
      }
    }
  }

  /// The share of right answers, in `0...1`; 0 if there are no episodes.
  package var accuracy: Double { count == 0 ? 0 : Double(correct) / Double(count) }
  /// The accuracy by letter; `nil` for free text.
  package var letterAccuracy: Double? { share(letterCorrect) }
  /// The accuracy by text; `nil` for free text.
  package var textAccuracy: Double? { share(textCorrect) }
  /// The accuracy by text per character; `nil` for free text.
  package var textPerCharacterAccuracy: Double? { share(textPerCharacterCorrect) }

  private func share(_ part: Int) -> Double? {
    multipleChoice == 0 ? nil : Double(part) / Double(multipleChoice)
  }

  /// The 95 % confidence interval of the accuracy (``ScoreInterval``).
  package var interval: ClosedRange<Double> { ScoreInterval.of(correct: correct, count: count) }
}
