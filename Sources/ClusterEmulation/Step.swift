/// One change to the system when a cluster is set up or taken down.
package enum Step: Sendable, Hashable, CustomStringConvertible {
  /// Runs a program.
  case run([String])
  /// Creates a folder, unless it exists.
  case makeFolder(String)
  /// Removes an empty folder, or a control group.
  case removeFolder(String)
  /// Writes a text to an existing file.
  case write(String, to: String)

  /// A program and its arguments, as on a command line.
  static func run(_ line: String) -> Step { .run(line.split(separator: " ").map(String.init)) }

  /// The step as a shell command.
  package var description: String {
    switch self {
    case .run(let command): command.joined(separator: " ")
    case .makeFolder(let path): "mkdir \(path)"
    case .removeFolder(let path): "rmdir \(path)"
    case .write(let text, let path): "echo \(text) > \(path)"
    }
  }
}
