import Foundation
import SafeFiles

/// A program and its arguments, run without a shell.
package struct ProcessCommand: Sendable, Equatable, CustomStringConvertible {
  /// The program: a path, or a name that is looked up in `PATH`.
  package let program: String
  /// The arguments, without the program's name.
  package let arguments: [String]

  package init(_ program: String, _ arguments: [String]) {
    self.program = program
    self.arguments = arguments
  }

  /// The command as typed in a shell, quoted where necessary.
  package var description: String {
    ([program] + arguments).map { word in
      let isPlain =
        !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,@+".contains($0) }
      return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }.joined(separator: " ")
  }
}

/// The only code that starts processes.
package enum ProcessRunner {
  /// Runs a command to completion, without standard input, and returns its standard output.
  ///
  /// - Throws: `FileError` of kind `process` if it cannot be started or its exit status is not 0. The error
  ///   contains the end of its standard error.
  @discardableResult
  package static func run(_ command: ProcessCommand) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [command.program] + command.arguments
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    // Standard error goes to a file, so that neither stream fills its pipe while the other is being read.
    let errors = try TemporaryFolder(in: FileManager.default.temporaryDirectory, name: "process")
    defer { withExtendedLifetime(errors) {} }
    let errorFile = errors.url.appendingPathComponent("stderr")
    try AtomicFile.write("", to: errorFile)
    let errorHandle = try FileHandle(forWritingTo: errorFile)
    process.standardError = errorHandle
    do {
      try process.run()
    } catch {
      let reason = SystemError.code(of: error).map(SystemError.reason) ?? error.localizedDescription
      throw FileError(
        .process, file: command.description, problem: "cannot be started: \(reason)",
        remedy: "check that \(command.program) is installed and in PATH")
    }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try? errorHandle.close()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      let text = String(decoding: (try? Data(contentsOf: errorFile)) ?? Data(), as: UTF8.self)
      throw FileError(
        .process, file: command.description, problem: failure(of: process, errors: text),
        remedy: "run the command by hand to see all of its output")
    }
    return data
  }

  private static func failure(of process: Process, errors: String) -> String {
    let how = process.terminationReason == .exit ? "status" : "signal"
    let lines = errors.split(whereSeparator: \.isNewline).suffix(6).joined(separator: " | ")
    let said = lines.isEmpty ? "it wrote nothing to standard error" : "it wrote: \(lines.suffix(800))"
    return "ended with \(how) \(process.terminationStatus); \(said)"
  }
}
