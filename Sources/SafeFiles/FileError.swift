import InputErrors

/// An error in a file: the file, the field within it, the problem, and what to do.
package struct FileError: InputError, Equatable {
  /// The category of an error, for callers that branch on it.
  package enum Kind: String, Sendable, Equatable {
    /// The operating system refused a read or a write.
    case inputOutput
    /// Something else is already where a file or folder would be created.
    case exists
    /// The bytes break the rules of the format: truncated, overlapping, overflowing, not UTF-8, and so on.
    case malformed
    /// A valid file needs something that this package does not support.
    case unsupported
    /// A required file, key or tensor is missing.
    case missing
    /// A tensor's shape does not match the configuration.
    case shape
    /// The bytes do not match the pinned checksum.
    case checksum
    /// A child process failed.
    case process
  }

  package let kind: Kind
  /// The file or folder with the problem.
  package let file: String
  /// The metadata key, tensor or header field, if there is one.
  package let field: String?
  /// What is wrong, with the relevant offsets or values.
  package let problem: String
  /// What to do about it.
  package let remedy: String

  package init(_ kind: Kind, file: String, field: String? = nil, problem: String, remedy: String) {
    self.kind = kind
    self.file = file
    self.field = field
    self.problem = problem
    self.remedy = remedy
  }

  /// Returns the error with `path` replaced by `name`, if its file is at or below `path`.
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
