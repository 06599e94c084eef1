import Foundation
import InputErrors
import SafeFiles

/// A lock that shows that its process is alive. The kernel releases it when the process ends, for any reason,
/// so a reused process ID misleads nobody.
final class Claim: Sendable {
  /// A file that is removed with the lock; `nil` for a folder.
  private let file: String?
  private let descriptor: Int32

  /// Waits for the lock of a folder, which is created if it is missing. The holder may look for emulations
  /// and add to them.
  init(folder: String) throws(Refusal) {
    func refused() -> Refusal {
      Refusal(folder, "cannot be claimed: \(SystemError.reason(errno))", SystemError.remedy(errno))
    }
    file = nil
    while true {
      guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw refused() }
      let opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      if opened < 0 && errno == ENOENT { continue }
      guard opened >= 0 else { throw refused() }
      guard flock(opened, LOCK_EX) == 0 else {
        close(opened)
        throw refused()
      }
      // Another process may have removed the folder in the meantime, and a third one created it again.
      var (mine, current) = (stat(), stat())
      if fstat(opened, &mine) == 0, stat(folder, &current) == 0, mine.st_ino == current.st_ino {
        descriptor = opened
        return
      }
      close(opened)
    }
  }

  /// Locks a new file without waiting.
  init(file: String) throws(Refusal) {
    self.file = file
    descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw Refusal(file, "cannot be claimed: \(SystemError.reason(errno))", SystemError.remedy(errno))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw Refusal(file, "another process holds it", "wait until it has ended")
    }
  }

  /// Whether a process holds the lock of a file.
  static func isHeld(_ file: String) -> Bool {
    let descriptor = open(file, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_EX | LOCK_NB) != 0
  }

  /// Releases the lock and removes its file.
  func release() {
    if let file { unlink(file) }
    close(descriptor)
  }
}
