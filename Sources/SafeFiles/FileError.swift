import InputErrors

/// What was wrong with a file: the file, the field within it, the problem, and what to do.
package struct FileError: InputError, Equatable {
  /// The family of a problem, for callers that branch on it.
  package enum Kind: String, Sendable, Equatable {
    /// The operating system refused a read or a write.
    case inputOutput
    /// The bytes break the format's rules (truncated, overlapping, overflowing, not UTF-8 …).
    case malformed
    /// A well-formed file that asks for something this package does not do.
    case unsupported
    /// A file, key or tensor that is needed is not there.
    case missing
    /// A tensor's shape disagrees with the configuration.
    case shape
    /// The bytes are not those that were pinned.
    case checksum
    /// A process that was started failed.
    case process
  }

  /// The family of the problem.
  package let kind: Kind
  /// The file or folder the problem is in.
  package let file: String
  /// The metadata key, tensor or header field, where there is one.
  package let field: String?
  /// What is wrong, with the offsets or values concerned.
  package let problem: String
  /// What to do about it.
  package let remedy: String

  /// Creates an error.
  package init(_ kind: Kind, file: String, field: String? = nil, problem: String, remedy: String) {
    self.kind = kind
    self.file = file
    self.field = field
    self.problem = problem
    self.remedy = remedy
  }

  /// The same error with `name` for the path `path`, where the file is at or below it.
  package func naming(_ name: String, for path: String) -> FileError {
    guard file == path || file.hasPrefix(path + "/") else { return self }
    return FileError(
      kind, file: "\(name)\(file.dropFirst(path.count))", field: field, problem: problem, remedy: remedy)
  }

  /// `file: field: problem; remedy` on one line.
  package var description: String {
    let place = field.map { "\(file): \($0)" } ?? file
    return "\(place): \(problem); \(remedy)"
  }
}
