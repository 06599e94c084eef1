import ArgumentParser
import Glibc
import InputErrors
import TextTables

/// Exit codes of the program.
enum ExitStatus {
  /// The section at the end of every help page.
  static let manual = """
    EXIT CODES
      0  success
      1  a bug in the program: please report it
      2  invalid input: standard error says where, what is wrong and what to do
      130  stopped at once by Ctrl-C (the second one, if the first asks to stop)
    """

  static let failure: Int32 = 1
  static let wrongInput: Int32 = 2
  static let interrupted: Int32 = 3
  static let jobFailed: Int32 = 4

  /// Makes a write to a closed pipe an error instead of a signal.
  static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Reports an error in one message on standard error, and ends the program.
  ///
  /// Help and version requests also arrive here; they go to standard output and end with 0.
  static func end(after error: any Error) -> Never {
    if let status = error as? ExitCode { exit(status.rawValue) }
    if case OutputError.readerIsGone = error { exit(0) }
    if error is any InputError {
      let messages = (error as? any InputErrorList)?.messages ?? ["\(error)"]
      let lines = messages.map { TerminalText.line($0) }.joined(separator: "\n")
      Console.complain("contexture: " + lines)
      exit(wrongInput)
    }
    let status = Contexture.exitCode(for: error)
    let message = Contexture.fullMessage(for: error)
    if status.isSuccess {
      do { try Console.print(message) } catch { end(after: error) }
      exit(0)
    }
    Console.complain(message)
    exit(status == .validationFailure ? wrongInput : failure)
  }
}
