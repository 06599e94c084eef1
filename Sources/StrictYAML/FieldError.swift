import InputErrors

/// An error in a YAML file, or in an override of one of its values.
///
/// `description` is one line with the place, the field, the problem and the fix, for example
/// `iov.yaml:12: field 'training.frozenRatio': 1.5 is outside 0...1; give a share between ...`.
package struct FieldError: InputError, Equatable {
  /// The file name as the user gave it.
  package let file: String
  /// The line of the file, from 1; `nil` if the error concerns the whole file or an override.
  package let line: Int?
  /// The override with the invalid value, as the user wrote it; `nil` for a value from the file.
  package let override: String?
  /// The dotted path of the field, such as `tasks.NAME.rank` or `training.rounds`; `nil` for the whole file.
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

  /// One line with the place, the field, the problem and the fix.
  package var description: String {
    let place = override.map { "override '\($0)'" } ?? file + (line.map { ":\($0)" } ?? "")
    return place + ": " + (field.map { "field '\($0)': " } ?? "") + problem + "; " + remedy
  }
}
