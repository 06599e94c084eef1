import Foundation
import Glibc

/// Temporary files and folders, whose names have the process that writes them: `.NAME.PID.N.tmp`.
///
/// A writer holds a lock on its file or folder, which the kernel releases when the process ends, for any
/// reason. What a killed process has left can therefore be recognised and removed by the next one.
package enum Leftovers {
  /// The longest part of a name that is repeated in a temporary name, in bytes; names have at most 255.
  private static let longestName = 200

  /// The temporary name for `name` with the number `attempt`.
  static func name(for name: String, attempt: Int) -> String {
    ".\(shortened(name)).\(getpid()).\(attempt).tmp"
  }

  /// Removes what processes that have ended left behind in `folder`. Whatever cannot be removed stays.
  ///
  /// - Parameters:
  ///   - name: only what was written under this name; `nil` for all.
  ///   - isOurs: whether no other process may write into the folder, so that the numbers of processes, which
  ///     the system uses again, do not matter.
  package static func remove(in folder: String, name: String? = nil, isOurs: Bool = false) {
    guard let stream = opendir(folder) else { return }
    var names: [String] = []
    while let entry = readdir(stream) {
      let text = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let text, process(ofTemporary: text, name: name.map(shortened)) != nil { names.append(text) }
    }
    closedir(stream)
    for text in names {
      guard let owner = process(ofTemporary: text, name: nil) else { continue }
      remove("\(folder)/\(text)", of: isOurs ? getpid() : owner)
    }
  }

  /// The process in a temporary name; `nil` for any other name.
  private static func process(ofTemporary text: String, name: String?) -> pid_t? {
    guard text.hasPrefix("."), text.hasSuffix(".tmp") else { return nil }
    let parts = text.dropFirst().dropLast(4).split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 3, let owner = pid_t(parts[parts.count - 2]), owner > 0,
      Int(parts[parts.count - 1]) != nil
    else { return nil }
    if let name, parts.dropLast(2).joined(separator: ".") != name { return nil }
    return owner
  }

  private static func remove(_ path: String, of owner: pid_t) {
    // The process may be on another machine, or number its processes otherwise: only the lock is certain. In
    // containers, every process may have the same number.
    if owner != getpid(), kill(owner, 0) == 0 || errno == EPERM { return }
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG || kind == S_IFDIR else { return }
    let descriptor = open(path, (kind == S_IFREG ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      // Without locks on this file system, age must do.
      guard errno != EWOULDBLOCK, time(nil) - status.st_mtim.tv_sec > 86_400 else { return }
    }
    // Meanwhile its writer may have finished it, and begun another of that name.
    guard isAt(path, descriptor) else { return }
    if kind == S_IFREG {
      unlink(path)
    } else {
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  /// Locks what was just created at `path`.
  ///
  /// - Returns: whether it is still there; another process may have taken it for a leftover before the lock.
  static func hold(_ descriptor: Int32, at path: String) -> Bool {
    while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
    return isAt(path, descriptor)
  }

  /// Whether a descriptor is of what is at `path`.
  private static func isAt(_ path: String, _ descriptor: Int32) -> Bool {
    var (held, found) = (stat(), stat())
    return fstat(descriptor, &held) == 0 && lstat(path, &found) == 0 && held.st_ino == found.st_ino
      && held.st_dev == found.st_dev
  }

  private static func shortened(_ name: String) -> String {
    var short = name[...]
    while short.utf8.count > longestName { short.removeLast() }
    return String(short)
  }
}
