import Foundation
import InputErrors

/// A lock that tells others that its process lives. The kernel opens it when the process ends, however that
/// comes, so a process number that is given out again misleads nobody.
final class Claim: Sendable {
  /// A file that is removed with the lock; `nil` for a folder.
  private let file: String?
  private let descriptor: Int32

  /// Waits for a folder, which is made where it is missing. Whoever has it may look for emulations and add to
  /// them.
  init(folder: String) throws(Refusal) {
    func refused() -> Refusal {
      Refusal(folder, String(cString: strerror(errno)), "check that this process may write there")
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
      // Another may have removed the folder meanwhile, and the next one made it anew.
      var (mine, current) = (stat(), stat())
      if fstat(opened, &mine) == 0, stat(folder, &current) == 0, mine.st_ino == current.st_ino {
        descriptor = opened
        return
      }
      close(opened)
    }
  }

  /// Locks a new file at once.
  init(file: String) throws(Refusal) {
    self.file = file
    descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw Refusal(file, String(cString: strerror(errno)), "check that this process may write there")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw Refusal(file, "another process holds it", "wait until that has ended")
    }
  }

  /// Whether a process holds the lock of a file.
  static func isHeld(_ file: String) -> Bool {
    let descriptor = open(file, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_EX | LOCK_NB) != 0
  }

  /// Opens the lock.
  func release() {
    if let file { unlink(file) }
    close(descriptor)
  }
}
