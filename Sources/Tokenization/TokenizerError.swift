import InputErrors

/// Why a tokenizer could not be loaded: the file, the field, the problem, and what is supported.
package enum TokenizerError: InputError, Equatable {
  /// The file is not JSON. Line and column start at 1.
  case notJSON(file: String, line: Int, column: Int, reason: String)
  /// A field is missing, has the wrong type, or contradicts another one.
  case invalid(file: String, field: String, reason: String)
  /// The file is valid but needs something that this implementation does not support.
  case unsupported(file: String, field: String, value: String, supported: String)

  /// A one-line message for the user.
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
