/// An error caused by something outside the program: a file, a setting, an option, a message, the system.
///
/// Its description is complete by itself: where the error is, what is wrong and what to do. The program
/// prints it and exits with the code for invalid input. Any other error is a bug in the program.
public protocol InputError: Error, Sendable, CustomStringConvertible {}

/// Several errors that are reported together. The description has one line for each.
package protocol InputErrorList: InputError {
  /// One message for each error, without line breaks of its own.
  var messages: [String] { get }
}

extension InputErrorList {
  package var description: String { messages.joined(separator: "\n") }
}
