import InputErrors

/// Why a template could not be read or rendered. Lines count from 1 in the template's source.
package enum TemplateError: InputError, Equatable {
  /// The source is not a well-formed template.
  case syntax(line: Int, reason: String)
  /// The template uses a part of Jinja that is not implemented.
  case unsupported(line: Int, feature: String)
  /// Rendering failed: an undefined value was used, a type did not fit, a limit was reached.
  case evaluation(line: Int, reason: String)
  /// The template itself refused the conversation by `raise_exception`.
  case raised(message: String)
  /// A value given as JSON could not be read.
  case invalidValue(reason: String)

  /// One line for a person.
  package var description: String {
    switch self {
    case .syntax(let line, let reason): "chat template, line \(line): \(reason)"
    case .unsupported(let line, let feature):
      "chat template, line \(line): \(feature) is not supported; simplify the template"
    case .evaluation(let line, let reason): "chat template, line \(line): \(reason)"
    case .raised(let message): "the chat template refuses this conversation: \(message)"
    case .invalidValue(let reason): "template value: \(reason)"
    }
  }
}
