import ArgumentParser
import Checkpoint
import Foundation
import SafeFiles

/// How the program ends: with the exit codes of `contexture`.
enum ExitStatus {
  private static let failure: Int32 = 1
  private static let wrongInput: Int32 = 2

  /// Reports the error in one message on standard error, and ends the program.
  ///
  /// Help requests are handled here, too; they go to standard output and exit with 0.
  static func end(after error: any Error) -> Never {
    if error is FileError {
      complain("parity: \(error)")
      exit(wrongInput)
    }
    let status = Parity.exitCode(for: error)
    let message = Parity.fullMessage(for: error)
    if status.isSuccess {
      print(message)
      exit(0)
    }
    complain(message)
    exit(status == .validationFailure ? wrongInput : failure)
  }

  private static func complain(_ message: String) {
    FileHandle.standardError.write(Data((message + "\n").utf8))
  }
}
