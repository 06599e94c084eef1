import InputErrors

/// Why a file of episodes cannot be read or written: the file, line, field, problem and fix.
package struct EpisodeFileError: InputError, Equatable {
  /// What is wrong.
  package enum Problem: Sendable, Equatable {
    /// The file or folder does not exist.
    case missing
    /// The path is that of a folder.
    case folder
    /// The file cannot be read, for the given reason.
    case unreadable(String)
    /// The file has been written to while it was read: how, and the fix.
    case changed(String, remedy: String)
    /// The line has more bytes than the given limit.
    case longLine(Int)
    /// The file is text in another encoding than UTF-8.
    case encoding(String)
    /// The line begins an object that ends on a later one.
    case severalLines
    /// The file contains no episodes.
    case empty
    /// The line is not JSON, for the given reason. `column` is a byte position in the line, from 1.
    case notJSON(reason: String, column: Int)
    /// The field has the wrong type.
    case wrongType(expected: String, found: String)
    /// A required field of a line or item is missing.
    case missingField(String)
    /// An item has an unknown field.
    case unknownField(String)
    /// The id or a name is empty.
    case emptyText
    /// The line has no item for a required task.
    case missingTask(String)
    /// The line lacks an input that a task reads.
    case missingInput(String, task: String)
    /// The answer is not an index of the options.
    case answerOutsideOptions(answer: Int, options: Int)
    /// A multiple-choice item has fewer than two options.
    case tooFewOptions(Int)
    /// A multiple-choice item has more options than there are letters.
    case tooManyOptions(Int)
    /// Two options of an item are equal.
    case duplicateOption(String)
    /// Two options of an item look the same: they differ in white space or invisible characters alone.
    case similarOptions(String, String)
    /// An item with options has its answer as text. `index` is that of the option that equals it.
    case answerText(String, index: Int?)
    /// An earlier line has the same id.
    case duplicateID(String, firstLine: Int)
  }

  /// The file name as the caller gave it.
  package let path: String
  /// The line, from 1; `nil` if the problem is not in a line.
  package let line: Int?
  /// The dotted path of the field, such as `tasks.route.answer`.
  package let field: String?
  /// What is wrong.
  package let problem: Problem

  package init(path: String, line: Int? = nil, field: String? = nil, problem: Problem) {
    self.path = path
    self.line = line
    self.field = field
    self.problem = problem
  }

  /// One line with the file, line, field, problem and fix.
  package var description: String {
    var place = path
    if let line { place += ":\(line)" }
    if let field { place += ": \(field)" }
    return "\(place): \(explanation)"
  }

  private var explanation: String {
    switch problem {
    case .missing:
      return "no such file; check the path, or make the data first"
    case .folder:
      return "is a folder; give a file of episodes, or remove the folder"
    case .unreadable(let reason):
      return "cannot be read (\(reason)); check the file and its permissions"
    case .changed(let how, let remedy):
      return "\(how); \(remedy)"
    case .longLine(let limit):
      return "is longer than \(limit) bytes; write one object per line"
    case .encoding(let name):
      return "is \(name); save it as UTF-8"
    case .severalLines:
      return "an object extends over several lines; write each object on one line, as 'jq -c .' does"
    case .empty:
      return "has no episodes; write one JSON object per line"
    case .notJSON(let reason, let column):
      return "not JSON at byte \(column) of the line: \(reason); write one complete JSON object on the line"
    case .wrongType(let expected, let found):
      return "must be \(expected) but is \(found); correct the value"
    case .missingField(let name):
      return "lacks \"\(name)\"; add it"
    case .unknownField(let name):
      return "unknown field \"\(name)\"; an item has \"question\", \"options\" and \"answer\""
    case .emptyText:
      return "is empty; write some text"
    case .missingTask(let task):
      return "lacks the task \"\(task)\"; add its item, or remove the task from the workflow"
    case .missingInput(let input, let task):
      return
        "lacks the input \"\(input)\" that the task \"\(task)\" reads; add it, or remove it from the task"
    case .answerOutsideOptions(let answer, let options):
      return "\(answer) is outside the \(options) options; use an index from 0 to \(options - 1)"
    case .tooFewOptions(let count):
      return
        "has \(count) \(count == 1 ? "option" : "options"); give at least two, or none for a free-text answer"
    case .tooManyOptions(let count):
      return "has \(count) options, more than there are letters; give at most \(TaskItem.maximumOptions)"
    case .duplicateOption(let option):
      return "the option \"\(option)\" is listed twice; make the options different"
    case .similarOptions(let first, let second):
      return
        "the options \(first.debugDescription) and \(second.debugDescription) differ in white space alone; "
        + "make the options different"
    case .answerText(let text, let index?):
      return "is the text of an option, \(text.debugDescription); write its index, \(index)"
    case .answerText(let text, nil):
      return
        "\(text.debugDescription) is not among the options; add it there, and write the index of the right option"
    case .duplicateID(let id, let firstLine):
      return "\"\(id)\" is already the id of line \(firstLine); give every episode its own id"
    }
  }
}
