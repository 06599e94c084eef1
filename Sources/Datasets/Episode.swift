/// One situation and everything that is asked about it: the inputs by name and one item for each task.
///
/// In a file an episode is one line of JSON:
/// `{"id": …, "inputs": {name: text}, "tasks": {task: {"question": …, "options": […], "answer": index}}}`.
package struct Episode: Sendable, Equatable {
  /// The place an episode was read from.
  package struct Origin: Sendable, Hashable, CustomStringConvertible {
    /// The file, as it was named by the caller.
    package let path: String
    /// The line, counted from 1.
    package let line: Int

    /// Makes a place of its parts.
    package init(path: String, line: Int) {
      self.path = path
      self.line = line
    }

    /// `file:line`.
    package var description: String { "\(path):\(line)" }
  }

  /// Identifies the episode; unique in its file.
  package var id: String
  /// The texts that tasks read, by name.
  package var inputs: [String: String]
  /// What each task asks here, by the task's name.
  package var tasks: [String: TaskItem]
  /// Where it was read, for messages; `nil` for one that was made. It is neither compared nor written.
  package var origin: Origin?

  /// Makes an episode of its parts.
  package init(
    id: String, inputs: [String: String], tasks: [String: TaskItem], origin: Origin? = nil
  ) {
    self.id = id
    self.inputs = inputs
    self.tasks = tasks
    self.origin = origin
  }

  /// Whether both say the same, wherever they were read.
  package static func == (left: Episode, right: Episode) -> Bool {
    left.id == right.id && left.inputs == right.inputs && left.tasks == right.tasks
  }
}

/// A recorded answer: one of the options, or a text of its own.
package enum Answer: Sendable, Equatable {
  /// The index of the right option, counted from 0.
  case option(Int)
  /// The answer itself, for items without options.
  case text(String)
  /// None is recorded: the item is only asked.
  case unknown
}

/// One question with its options and recorded answer.
package struct TaskItem: Sendable, Equatable {
  /// The most options that can be asked about: one for each letter.
  package static let maximumOptions = 26

  /// What is asked.
  package let question: String
  /// The choices in the order in which they are shown; empty for a free-text item.
  package let options: [String]
  /// The recorded answer.
  package let answer: Answer

  /// An item with options.
  ///
  /// - Precondition: `answer` is an index of `options`.
  package init(question: String, options: [String], answer: Int) {
    precondition(options.indices.contains(answer), "answer \(answer) is outside \(options.count) options")
    self.question = question
    self.options = options
    self.answer = .option(answer)
  }

  /// A free-text item.
  package init(question: String, answer: String) {
    self.question = question
    self.options = []
    self.answer = .text(answer)
  }

  /// An item without a recorded answer; free text where there are no options.
  package init(question: String, options: [String]) {
    self.question = question
    self.options = options
    answer = .unknown
  }

  /// The words of the recorded answer, whichever kind it is; empty where there is none.
  package var answerText: String {
    switch answer {
    case .option(let index): options[index]
    case .text(let text): text
    case .unknown: ""
    }
  }

  /// The index of the right option; `nil` for a free-text item, and where no answer is recorded.
  package var answerIndex: Int? {
    if case .option(let index) = answer { index } else { nil }
  }

  /// The same item with another of its options recorded as the answer.
  ///
  /// - Precondition: `index` is an index of `options`.
  package func answered(with index: Int) -> TaskItem {
    TaskItem(question: question, options: options, answer: index)
  }
}

/// What a task needs of an episode: the inputs it reads and the tasks whose answers it is given.
package struct DatasetTask: Sendable, Equatable, Codable {
  /// The task's name.
  package let name: String
  /// The names of the inputs it reads itself.
  package let inputs: [String]
  /// The tasks whose answers it is given (direct parents).
  package let parents: [String]

  /// Makes a task's description of its parts.
  package init(name: String, inputs: [String], parents: [String] = []) {
    self.name = name
    self.inputs = inputs
    self.parents = parents
  }
}
