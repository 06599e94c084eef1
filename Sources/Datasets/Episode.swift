/// One situation and everything asked about it: the inputs by name and one item per task.
///
/// In a file, an episode is one line of JSON:
/// `{"id": …, "inputs": {name: text}, "tasks": {task: {"question": …, "options": […], "answer": index}}}`.
package struct Episode: Sendable, Equatable {
  /// Where an episode was read from.
  package struct Origin: Sendable, Hashable, CustomStringConvertible {
    /// The file name as the caller gave it.
    package let path: String
    /// The line, from 1.
    package let line: Int

    package init(path: String, line: Int) {
      self.path = path
      self.line = line
    }

    /// `file:line`.
    package var description: String { "\(path):\(line)" }
  }

  /// The episode's identifier, unique in its file.
  package var id: String
  /// The input texts by name.
  package var inputs: [String: String]
  /// Each task's item, by the task's name.
  package var tasks: [String: TaskItem]
  /// Where the episode was read from, for messages; `nil` if it was created in memory. It is neither compared
  /// nor written.
  package var origin: Origin?

  package init(
    id: String, inputs: [String: String], tasks: [String: TaskItem], origin: Origin? = nil
  ) {
    self.id = id
    self.inputs = inputs
    self.tasks = tasks
    self.origin = origin
  }

  /// Compares the contents, but not `origin`.
  package static func == (left: Episode, right: Episode) -> Bool {
    left.id == right.id && left.inputs == right.inputs && left.tasks == right.tasks
  }
}

/// The gold answer: one of the options, or free text.
package enum Answer: Sendable, Equatable {
  /// The index of the right option, from 0.
  case option(Int)
  /// The text of the answer, for items without options.
  case text(String)
  /// There is no gold answer: the item is only asked.
  case unknown
}

/// One question with its options and gold answer.
package struct TaskItem: Sendable, Equatable {
  /// The maximum number of options: one for each letter.
  package static let maximumOptions = 26

  package let question: String
  /// The options in display order; empty for a free-text item.
  package let options: [String]
  /// The gold answer.
  package let answer: Answer

  /// Creates an item with options.
  ///
  /// - Precondition: `answer` is an index of `options`.
  package init(question: String, options: [String], answer: Int) {
    precondition(options.indices.contains(answer), "answer \(answer) is outside \(options.count) options")
    self.question = question
    self.options = options
    self.answer = .option(answer)
  }

  /// Creates a free-text item.
  package init(question: String, answer: String) {
    self.question = question
    self.options = []
    self.answer = .text(answer)
  }

  /// Creates an item without a gold answer. If `options` is empty, it is a free-text item.
  package init(question: String, options: [String]) {
    self.question = question
    self.options = options
    answer = .unknown
  }

  /// The gold answer as text, for either kind of item; empty if there is none.
  package var answerText: String {
    switch answer {
    case .option(let index): options[index]
    case .text(let text): text
    case .unknown: ""
    }
  }

  /// The index of the right option; `nil` for a free-text item or without a gold answer.
  package var answerIndex: Int? {
    if case .option(let index) = answer { index } else { nil }
  }

  /// The same item with another option as the gold answer.
  ///
  /// - Precondition: `index` is an index of `options`.
  package func answered(with index: Int) -> TaskItem {
    TaskItem(question: question, options: options, answer: index)
  }
}

/// What a task reads from an episode: its own inputs and its parents' answers.
package struct DatasetTask: Sendable, Equatable, Codable {
  package let name: String
  /// The names of the task's own inputs.
  package let inputs: [String]
  /// The tasks whose answers it reads (direct parents).
  package let parents: [String]

  package init(name: String, inputs: [String], parents: [String] = []) {
    self.name = name
    self.inputs = inputs
    self.parents = parents
  }
}
