/// One situation and everything that is asked about it: the inputs by name and one item for each task.
///
/// In a file an episode is one line of JSON:
/// `{"id": …, "inputs": {name: text}, "tasks": {task: {"question": …, "options": […], "answer": index}}}`.
public struct Episode: Sendable, Equatable {
  /// The place an episode was read from.
  public struct Origin: Sendable, Hashable, CustomStringConvertible {
    /// The file, as it was named by the caller.
    public let path: String
    /// The line, counted from 1.
    public let line: Int

    /// Makes a place of its parts.
    public init(path: String, line: Int) {
      self.path = path
      self.line = line
    }

    /// `file:line`.
    public var description: String { "\(path):\(line)" }
  }

  /// Identifies the episode; unique in its file.
  public var id: String
  /// The texts that tasks read, by name.
  public var inputs: [String: String]
  /// What each task asks here, by the task's name.
  public var tasks: [String: TaskItem]
  /// Where it was read, for messages; `nil` for one that was made. It is neither compared nor written.
  public var origin: Origin?

  /// Makes an episode of its parts.
  public init(
    id: String, inputs: [String: String], tasks: [String: TaskItem], origin: Origin? = nil
  ) {
    self.id = id
    self.inputs = inputs
    self.tasks = tasks
    self.origin = origin
  }

  /// Whether both say the same, wherever they were read.
  public static func == (left: Episode, right: Episode) -> Bool {
    left.id == right.id && left.inputs == right.inputs && left.tasks == right.tasks
  }
}

/// A recorded answer: one of the options, or a text of its own.
public enum Answer: Sendable, Equatable {
  /// The index of the right option, counted from 0.
  case option(Int)
  /// The answer itself, for items without options.
  case text(String)
  /// None is recorded: the item is only asked.
  case unknown
}

/// One question with its options and recorded answer.
public struct TaskItem: Sendable, Equatable {
  /// The most options that can be asked about: one for each letter.
  public static let maximumOptions = 26

  /// What is asked.
  public let question: String
  /// The choices in the order in which they are shown; empty for a free-text item.
  public let options: [String]
  /// The recorded answer.
  public let answer: Answer

  /// An item with options.
  ///
  /// - Precondition: `answer` is an index of `options`.
  public init(question: String, options: [String], answer: Int) {
    precondition(options.indices.contains(answer), "answer \(answer) is outside \(options.count) options")
    self.question = question
    self.options = options
    self.answer = .option(answer)
  }

  /// A free-text item.
  public init(question: String, answer: String) {
    self.question = question
    self.options = []
    self.answer = .text(answer)
  }

  /// An item without a recorded answer; free text where there are no options.
  public init(question: String, options: [String]) {
    self.question = question
    self.options = options
    answer = .unknown
  }

  /// The words of the recorded answer, whichever kind it is; empty where there is none.
  public var answerText: String {
    switch answer {
    case .option(let index): options[index]
    case .text(let text): text
    case .unknown: ""
    }
  }

  /// The index of the right option; `nil` for a free-text item, and where no answer is recorded.
  public var answerIndex: Int? {
    if case .option(let index) = answer { index } else { nil }
  }

  /// The same item with another of its options recorded as the answer.
  ///
  /// - Precondition: `index` is an index of `options`.
  public func answered(with index: Int) -> TaskItem {
    TaskItem(question: question, options: options, answer: index)
  }
}

/// What a task needs of an episode: the inputs it reads and the tasks whose answers it is given.
public struct DatasetTask: Sendable, Equatable, Codable {
  /// The task's name.
  public let name: String
  /// The names of the inputs it reads itself.
  public let inputs: [String]
  /// The tasks whose answers it is given (direct parents).
  public let parents: [String]

  /// Makes a task's description of its parts.
  public init(name: String, inputs: [String], parents: [String] = []) {
    self.name = name
    self.inputs = inputs
    self.parents = parents
  }
}
