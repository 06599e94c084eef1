import InputErrors

/// Why a YAML file, or an override of one of its values, was refused.
///
/// `description` is one line: where, which field, what is wrong, what to do, as in
/// `iov.yaml:12: field 'training.frozenRatio': 1.5 is outside 0...1; give a share between ...`.
package struct FieldError: InputError, Equatable {
  /// The file, as it was named.
  package let file: String
  /// The line of the file, from 1; `nil` when the whole file or an override is meant.
  package let line: Int?
  /// The override whose value is refused, as it was written; `nil` for a value from the file.
  package let override: String?
  /// The field as a dotted path, `tasks.NAME.rank` or `training.rounds`; `nil` for the whole file.
  package let field: String?
  /// What is wrong.
  package let problem: String
  /// What to do about it.
  package let remedy: String

  package init(file: String, origin: YAMLNode.Origin?, field: String?, problem: String, remedy: String) {
    self.file = file
    self.field = field
    self.problem = problem
    self.remedy = remedy
    switch origin {
    case .line(let line): (self.line, self.override) = (line, nil)
    case .override(let text): (self.line, self.override) = (nil, text)
    case nil: (self.line, self.override) = (nil, nil)
    }
  }

  /// One line: where, which field, what is wrong, what to do.
  package var description: String {
    let place = override.map { "override '\($0)'" } ?? file + (line.map { ":\($0)" } ?? "")
    return place + ": " + (field.map { "field '\($0)': " } ?? "") + problem + "; " + remedy
  }
}
