import InputErrors

/// Why a tokenizer could not be read: which file, which field, what is wrong and what would be right.
package enum TokenizerError: InputError, Equatable {
  /// The file is not JSON. Line and column start at 1.
  case notJSON(file: String, line: Int, column: Int, reason: String)
  /// A field is missing, has the wrong type, or contradicts another one.
  case invalid(file: String, field: String, reason: String)
  /// The file is well formed but asks for something this implementation does not do.
  case unsupported(file: String, field: String, value: String, supported: String)

  /// One line for a person.
  package var description: String {
    switch self {
    case .notJSON(let file, let line, let column, let reason):
      "\(file):\(line):\(column): not valid JSON: \(reason); fetch the file again"
    case .invalid(let file, let field, let reason):
      "\(file): field '\(field)': \(reason)"
    case .unsupported(let file, let field, let value, let supported):
      "\(file): field '\(field)': '\(value)' is not supported; supported: \(supported)"
    }
  }
}
