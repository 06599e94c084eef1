import Glibc

/// Turns an `errno` into an error with a readable description and a fix.
package enum SystemError {
  /// The error for `code`, which occurred while doing `action` to `path`.
  package static func describe(_ code: Int32, path: String, action: String) -> FileError {
    let text = String(cString: strerror(code))
    return FileError(
      code == ENOENT ? .missing : .inputOutput, file: path,
      problem: "cannot \(action): \(text) (errno \(code))", remedy: remedy(code))
  }

  private static func remedy(_ code: Int32) -> String {
    switch code {
    case ENOSPC, EDQUOT: return "the disk or quota is full: free some space or choose another folder"
    case EFBIG: return "the file system or a resource limit does not allow a file that large"
    case EACCES, EPERM: return "check who owns it and its permissions"
    case EROFS: return "the file system is read-only: choose another folder"
    case ENOENT: return "check the path"
    case ENOTDIR: return "a part of the path is a file, not a folder"
    case EISDIR: return "give a file, not a folder"
    case EEXIST, ENOTEMPTY: return "choose a path that does not exist yet"
    case EMFILE, ENFILE: return "too many open files: raise the limit (ulimit -n)"
    case ENOMEM: return "not enough memory or address space"
    case ENAMETOOLONG: return "shorten the name"
    case EIO: return "the device reports an input/output error: check the disk"
    default: return "see the system's message"
    }
  }
}
