import Foundation
import Glibc

/// Writes files atomically: readers see either the old file or the complete new one.
///
/// The bytes go to a temporary file in the same folder, which is synced to disk and renamed; then the folder
/// is synced. On any failure, the temporary file is removed. A symbolic link is followed, and pipes and devices
/// are written directly (``Destination``).
package enum AtomicFile {
  /// Appends bytes to the temporary file.
  package struct Writer: ~Copyable {
    let descriptor: Int32
    let path: String

    /// Appends all of `bytes`.
    ///
    /// - Throws: `FileError` if the system reports an error, such as a full disk.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
      try AtomicFile.writeAll(bytes, to: descriptor, path: path)
    }

    /// Appends a string's UTF-8 bytes.
    package func write(_ text: String) throws {
      var text = text
      try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
    }
  }

  /// Replaces the file at `url` with the bytes that `body` writes.
  ///
  /// - Throws: `FileError` if the path is a folder or the system reports an error; any error of `body`.
  package static func write(to url: URL, _ body: (borrowing Writer) throws -> Void) throws {
    switch try Destination(url.path) {
    case .replaced(let path, let mode): try replace(path, mode: mode, named: url.path, body)
    case .opened(let path):
      let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
      guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "open") }
      try write(descriptor, path: url.path, body)
    case .descriptor(let number):
      let descriptor = fcntl(number, F_DUPFD_CLOEXEC, 0)
      guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "open") }
      try write(descriptor, path: url.path, body)
    }
  }

  /// Replaces the contents of the file at `url` with `data`.
  package static func write(_ data: Data, to url: URL) throws {
    try write(to: url) { writer in try data.withUnsafeBytes { try writer.write($0) } }
  }

  /// Replaces the contents of the file at `url` with `text` in UTF-8.
  package static func write(_ text: String, to url: URL) throws {
    try write(to: url) { try $0.write(text) }
  }

  /// Syncs a folder's entries to disk, so that a rename in it survives a power failure.
  package static func synchroniseFolder(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: path, action: "open the folder") }
    defer { close(descriptor) }
    // Some file systems cannot sync a folder and report EINVAL; the rename itself has already succeeded.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw SystemError.describe(errno, path: path, action: "synchronise the folder to the disk")
    }
  }

  /// Writes all bytes to a descriptor, continuing after short writes and interruptions.
  package static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
    guard let start = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      let written = Glibc.write(descriptor, start + done, min(bytes.count - done, 1 << 30))
      if written < 0 {
        if errno == EINTR { continue }
        let action = "write \(bytes.count - done) more bytes"
        throw SystemError.describe(errno, path: path, action: action)
      }
      done += written
    }
  }

  /// - Parameters:
  ///   - path: the path to replace, which is not a symbolic link.
  ///   - mode: the permissions of the file that is replaced.
  ///   - name: the path for messages.
  private static func replace(
    _ path: String, mode: mode_t?, named name: String, _ body: (borrowing Writer) throws -> Void
  ) throws {
    let url = URL(fileURLWithPath: path)
    let folder = url.deletingLastPathComponent().path
    let (descriptor, temporary) = try openTemporary(folder: folder, name: url.lastPathComponent, path: name)
    var (isOpen, isTemporary) = (true, true)
    do {
      if let mode { fchmod(descriptor, mode) }
      try body(Writer(descriptor: descriptor, path: name))
      guard fsync(descriptor) == 0 else {
        throw SystemError.describe(errno, path: name, action: "synchronise to the disk")
      }
      guard rename(temporary, path) == 0 else {
        throw SystemError.describe(errno, path: name, action: "rename the finished file to this path")
      }
      (isOpen, isTemporary) = (false, false)
      guard close(descriptor) == 0 else {
        throw SystemError.describe(errno, path: name, action: "close")
      }
    } catch {
      if isTemporary { unlink(temporary) }
      if isOpen { close(descriptor) }
      throw error
    }
    try synchroniseFolder(folder)
  }

  /// Lets `body` write to a descriptor, and closes it. The optimiser of Swift 6.3.1 aborts if it inlines this.
  @inline(never)
  private static func write(
    _ descriptor: Int32, path: String, _ body: (borrowing Writer) throws -> Void
  ) throws {
    do { try body(Writer(descriptor: descriptor, path: path)) } catch {
      close(descriptor)
      throw error
    }
    guard close(descriptor) == 0 else { throw SystemError.describe(errno, path: path, action: "close") }
  }

  /// Creates and locks a temporary file.
  private static func openTemporary(folder: String, name: String, path: String) throws -> (Int32, String) {
    Leftovers.remove(in: folder, name: name)
    for attempt in 0..<10_000 {
      let temporary = "\(folder)/\(Leftovers.name(for: name, attempt: attempt))"
      let descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else {
        guard errno == EEXIST else { throw SystemError.describe(errno, path: path, action: "create") }
        continue
      }
      if Leftovers.hold(descriptor, at: temporary) { return (descriptor, temporary) }
      close(descriptor)
    }
    throw FileError(
      .inputOutput, file: path, problem: "10,000 temporary files are in the way",
      remedy: "remove the files named .\(name).*.tmp in that folder")
  }
}
