import InputErrors

/// An error about what came from outside: a file, a setting, an episode. Its description is one line that says where, what
/// is wrong and what to do.
public typealias InputError = InputErrors.InputError
