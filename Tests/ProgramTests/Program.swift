import Foundation
import Glibc
import TestSupport

/// Runs the built program as a user would.
enum Program {
  /// The outcome of a run.
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  struct CannotRun: Error { let reason: String }

  /// In the folder of the test bundle, because one build makes both.
  static let url = built("contexture")

  /// A program of this package.
  static func built(_ name: String) -> URL {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent(name)
  }

  /// Runs the program to its end, with an 80-column terminal and no input.
  ///
  /// - Parameters:
  ///   - folder: the working folder; `nil` for the package's root.
  ///   - path: a folder that is searched for programs before the others.
  ///   - output: a file that receives standard output.
  ///   - shell: `sh` commands to run first, such as `ulimit -f 8`.
  ///   - starter: a command that starts the program; the program and its arguments are appended.
  ///   - program: a program other than `contexture`.
  static func run(
    _ arguments: [String], in folder: URL? = nil, path: String? = nil, output: String? = nil,
    shell: String = ":", under starter: [String] = [], program: URL = Program.url
  ) throws -> Outcome {
    try Fixtures.withTemporaryDirectory { streams in
      let outputFile = output ?? streams.appendingPathComponent("output").path
      let errorFile = streams.appendingPathComponent("errors").path
      var environment = ProcessInfo.processInfo.environment
      environment["COLUMNS"] = "80"
      if let path { environment["PATH"] = path + ":" + (environment["PATH"] ?? "") }
      let status = try spawn(
        [
          "/bin/sh", "-c", "\(shell); cd \"$1\" && shift && exec \"$@\"", "sh",
          (folder ?? Fixtures.packageRoot).path,
        ] + starter + [program.path] + arguments,
        environment: environment.map { "\($0)=\($1)" }, output: outputFile, errors: errorFile)
      func text(_ file: String) -> String {
        String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
      }
      return Outcome(status: status, output: output == nil ? text(outputFile) : "", errors: text(errorFile))
    }
  }

  private static func spawn(
    _ arguments: [String], environment: [String], output: String, errors: String
  ) throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT, 0o644)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT, 0o644)
    var words = arguments.map { strdup($0) } + [nil]
    var variables = environment.map { strdup($0) } + [nil]
    defer { for word in words + variables { free(word) } }
    var process = pid_t()
    let failure = posix_spawn(&process, arguments[0], &actions, nil, &words, &variables)
    guard failure == 0 else { throw CannotRun(reason: String(cString: strerror(failure))) }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { throw CannotRun(reason: String(cString: strerror(errno))) }
    }
    // The shell's convention: 128 plus the signal's number if a signal ended the program.
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }
}
