/// An error about what came from outside: a file, a setting, an option, a message, the system.
///
/// Its description says where, what is wrong and what to do, and needs nothing around it. The program prints it and ends
/// with the exit code of wrong input; any other error is a fault of the program itself.
public protocol InputError: Error, Sendable, CustomStringConvertible {}
