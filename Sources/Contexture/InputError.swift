import InputErrors

/// An error in the user's input: a file, a setting or an episode. Its description is one line: the place, the
/// problem and the fix.
public typealias InputError = InputErrors.InputError
