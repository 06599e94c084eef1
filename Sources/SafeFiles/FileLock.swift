import Foundation
import Glibc

/// Holds a file for one process. The kernel releases it when the process ends, for any reason.
package final class FileLock: Sendable {
  private let descriptor: Int32

  /// Locks a file that exists. On a file system without locks, nothing is locked.
  ///
  /// - Parameter patience: how long to wait for another holder, which may be about to end.
  /// - Throws: `FileError` if the file cannot be opened, or another process or lock keeps holding it.
  package init(_ url: URL, patience: Duration = .zero) throws(FileError) {
    // Over NFS, an exclusive lock needs a descriptor for writing.
    let writable = open(url.path, O_RDWR | O_CLOEXEC)
    descriptor = writable >= 0 ? writable : open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "open") }
    let end = ContinuousClock.now + patience
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK || errno == EINTR {
      guard ContinuousClock.now < end else {
        throw FileError(
          .inputOutput, file: url.path, problem: "is in use by another process",
          remedy: "wait until it has ended, or stop it")
      }
      usleep(50_000)
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }
}
