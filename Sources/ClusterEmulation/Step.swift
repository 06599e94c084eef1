/// One thing that is done to the system when a cluster is set up or taken down.
package enum Step: Sendable, Hashable, CustomStringConvertible {
  /// Runs a program.
  case run([String])
  /// Makes a folder, which may be there already.
  case makeFolder(String)
  /// Removes an empty folder; a control group counts as one.
  case removeFolder(String)
  /// Writes a setting.
  case write(String, to: String)

  /// A program and its arguments, as they are written on a command line.
  static func run(_ line: String) -> Step { .run(line.split(separator: " ").map(String.init)) }

  /// The step as a line of shell.
  package var description: String {
    switch self {
    case .run(let words): words.joined(separator: " ")
    case .makeFolder(let path): "mkdir \(path)"
    case .removeFolder(let path): "rmdir \(path)"
    case .write(let text, let path): "echo \(text) > \(path)"
    }
  }
}
