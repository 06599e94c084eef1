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
        let holder = Self.holder(descriptor).map { "process \($0)" } ?? "another process"
        throw FileError(
          .inputOutput, file: url.path, problem: "is in use by \(holder)",
          remedy: "wait until it has ended, or stop it")
      }
      usleep(50_000)
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// The process that holds the lock of an open file; `nil` if the kernel does not say, as for one of another
  /// host or container.
  private static func holder(_ descriptor: Int32) -> pid_t? {
    var status = stat()
    guard fstat(descriptor, &status) == 0,
      let locks = try? String(contentsOfFile: "/proc/locks", encoding: .utf8)
    else { return nil }
    // `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`: the process, and the device and inode of the file.
    let (device, inode) = (UInt64(status.st_dev), "\(status.st_ino)")
    let major = device >> 8 & 0xFFF | device >> 32 & ~0xFFF
    let minor = device & 0xFF | device >> 12 & ~0xFF
    for line in locks.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 6, words[1] == "FLOCK", let process = pid_t(words[4]), process > 0 else {
        continue
      }
      let place = words[5].split(separator: ":")
      guard place.count == 3, UInt64(place[0], radix: 16) == major, UInt64(place[1], radix: 16) == minor,
        place[2] == inode
      else { continue }
      return process
    }
    return nil
  }
}
