import Foundation
import Glibc

/// Holds a file for one process. The kernel releases it when the process ends, for any reason.
package final class FileLock: Sendable {
  private let descriptor: Int32

  /// Locks a file that exists, without waiting. On a file system without locks, nothing is locked.
  ///
  /// - Throws: `FileError` if the file cannot be opened, or another process or lock holds it.
  package init(_ url: URL) throws(FileError) {
    descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "be opened") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
      close(descriptor)
      throw FileError(
        .inputOutput, file: url.path, problem: "is in use by another process",
        remedy: "wait until it has ended, or stop it")
    }
  }

  deinit { close(descriptor) }
}
