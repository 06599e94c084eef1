import Foundation
import Glibc

/// Turns the errors of the system into errors with a readable description and a fix. The one place that
/// decides what an `errno` means for a user.
package enum SystemError {
  /// The error for `code`, which occurred while doing `action` to `path`.
  package static func describe(_ code: Int32, path: String, action: String) -> FileError {
    FileError(
      code == ENOENT ? .missing : .inputOutput, file: path, problem: "cannot \(action): \(reason(code))",
      remedy: remedy(code))
  }

  /// The error for one of Foundation's, which occurred while doing `action` to `path`. Foundation's own text
  /// often hides the system's reason.
  package static func describe(_ error: any Error, path: String, action: String) -> FileError {
    if let error = error as? FileError { return error }
    guard let code = code(of: error) else {
      return FileError(
        .inputOutput, file: path, problem: "cannot \(action): \(error.localizedDescription)",
        remedy: "check the path")
    }
    return describe(code, path: path, action: action)
  }

  /// The system's text for `code`, and its number.
  package static func reason(_ code: Int32) -> String { "\(String(cString: strerror(code))) (errno \(code))" }

  /// What to do about `code`.
  package static func remedy(_ code: Int32) -> String {
    switch code {
    case ENOSPC, EDQUOT: return "the disk or quota is full: free some space or choose another folder"
    case EFBIG: return "the file system or a resource limit does not allow a file that large"
    case EACCES, EPERM: return "check who owns it, its permissions and those of the folders above it"
    case EROFS: return "the file system is read-only: choose another folder"
    case ENOENT: return "check the path"
    case ENOTDIR: return "a part of the path is a file, not a folder"
    case EISDIR: return "give a file, not a folder"
    case EEXIST, ENOTEMPTY: return "choose a path that does not exist yet"
    case EMFILE, ENFILE: return "too many open files: raise the limit (ulimit -n)"
    case ENOMEM: return "not enough memory or address space"
    case ENAMETOOLONG: return "shorten the name"
    case ELOOP: return "symbolic links lead in a circle: correct them"
    case EPIPE: return "its reader has ended: keep it open until the output is complete"
    case ENXIO, ENODEV: return "nothing is connected to it: give the path of a file"
    case EBUSY, ETXTBSY: return "it is in use: wait until the other program has ended"
    case ESTALE: return "the file was replaced on its server: open it again"
    case EIO: return "the device reports an input/output error: check the disk"
    case EINVAL, ENOTSUP: return "the file system does not support this: choose another folder"
    default: return "see the system's message"
    }
  }

  /// The `errno` behind one of Foundation's errors; `nil` if there is none.
  package static func code(of error: any Error) -> Int32? {
    var current: NSError? = error as NSError
    while let error = current {
      if error.domain == NSPOSIXErrorDomain { return Int32(exactly: error.code) }
      current = error.userInfo[NSUnderlyingErrorKey] as? NSError
    }
    return nil
  }
}
