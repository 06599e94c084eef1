import Foundation
import Glibc
import InputErrors
import SafeFiles
import Tensor
import TextTables

/// A reason why standard output cannot be written.
enum OutputError: InputError, Equatable {
  /// The reader has closed it, so there is nobody to report to.
  case readerIsGone
  /// The system refused with this `errno`.
  case refused(Int32)

  var description: String {
    switch self {
    case .readerIsGone: "standard output: closed by its reader; nothing to do"
    case .refused(let code):
      "standard output: cannot be written (\(String(cString: strerror(code)))); "
        + (code == ENOSPC || code == EDQUOT
          ? "check where it goes, and the free space" : SystemError.remedy(code))
    }
  }
}

/// The terminal: results on standard output, messages on standard error. Whatever it shows may contain text
/// from a file, and passes through `TerminalText`.
enum Console {
  /// Writes `text` to standard output, followed by a line break unless it ends with one.
  static func print(_ text: String) throws(OutputError) {
    let text = TerminalText.safe(text)
    try write(text.hasSuffix("\n") ? text : text + "\n", to: STDOUT_FILENO)
  }

  /// Writes a progress message to standard output; ignores a closed pipe, so that the work continues.
  static func report(_ text: String) throws(OutputError) {
    do { try print(text) } catch .readerIsGone {}
  }

  /// Writes a progress message of one line.
  static func report(line: String) throws(OutputError) { try report(TerminalText.line(line)) }

  /// Writes a value as JSON with sorted keys to standard output.
  static func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try print(String(decoding: try encoder.encode(value), as: UTF8.self))
  }

  /// Writes over the current line of a terminal.
  static func rewriteLine(_ text: String, ends: Bool) throws(OutputError) {
    try write("\r\u{1B}[K" + TerminalText.line(text) + (ends ? "\n" : ""), to: STDOUT_FILENO)
  }

  /// Writes an error, or another message that is one line, to standard error.
  static func complain(inOneLine message: String) { complain(TerminalText.line(message)) }

  /// Writes a message to standard error. If that fails, nothing more can be done.
  static func complain(_ message: String) {
    let message = TerminalText.safe(message)
    try? write(message.hasSuffix("\n") ? message : message + "\n", to: STDERR_FILENO)
  }

  /// Writes a note on a number format's speed on this processor to standard error, if there is one.
  static func noteEmulation(_ type: ElementType) {
    if let note = CPUDevice.emulationNote(type) { complain("note: " + note) }
  }

  private static func write(_ text: String, to descriptor: Int32) throws(OutputError) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written >= 0 {
        rest = rest.dropFirst(written)
      } else if errno == EPIPE {
        throw .readerIsGone
      } else if errno != EINTR {
        throw .refused(errno)
      }
    }
  }
}
