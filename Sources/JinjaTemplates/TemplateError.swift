import InputErrors

/// Why a template could not be parsed or rendered. Lines count from 1 in the template's source.
package enum TemplateError: InputError, Equatable {
  /// The source is not a valid template.
  case syntax(line: Int, reason: String)
  /// The template uses a feature of Jinja that is not implemented.
  case unsupported(line: Int, feature: String)
  /// Rendering failed, for example on an undefined value, a wrong type or a limit.
  case evaluation(line: Int, reason: String)
  /// The template refused the conversation with `raise_exception`.
  case raised(message: String)
  /// A JSON value could not be parsed.
  case invalidValue(reason: String)

  /// A one-line message for the user.
  package var description: String {
    switch self {
    case .syntax(let line, let reason): "chat template, line \(line): \(Self.shown(reason))"
    case .unsupported(let line, let feature):
      "chat template, line \(line): \(Self.shown(feature)) is not supported; simplify the template"
    case .evaluation(let line, let reason): "chat template, line \(line): \(Self.shown(reason))"
    case .raised(let message): "the chat template rejects this conversation: \(Self.shown(message))"
    case .invalidValue(let reason): "template value: \(reason)"
    }
  }

  /// The start of a text that may come from the template, on one line and without control characters.
  private static func shown(_ text: String) -> String {
    let longest = 400
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(longest) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator: shown.append(" ")
      default: shown.append(scalar)
      }
    }
    return String(shown) + (text.unicodeScalars.count > longest ? " …" : "")
  }
}
