import Foundation
import Glibc

/// Writes files atomically: readers see either the old file or the complete new one.
///
/// The bytes go to a temporary file in the same folder, which is synced to disk and renamed; then the folder
/// is synced. On any failure, the temporary file is removed.
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
  /// - Throws: `FileError` if the system reports an error; any error of `body`.
  package static func write(to url: URL, _ body: (borrowing Writer) throws -> Void) throws {
    let folder = url.deletingLastPathComponent().path
    let (descriptor, temporary) = try openTemporary(folder: folder, name: url.lastPathComponent)
    var isOpen = true
    do {
      try body(Writer(descriptor: descriptor, path: url.path))
      guard fsync(descriptor) == 0 else {
        throw SystemError.describe(errno, path: url.path, action: "synchronise to the disk")
      }
      isOpen = false
      guard close(descriptor) == 0 else {
        throw SystemError.describe(errno, path: url.path, action: "close")
      }
      guard rename(temporary, url.path) == 0 else {
        throw SystemError.describe(errno, path: url.path, action: "rename the finished file to this path")
      }
    } catch {
      if isOpen { close(descriptor) }
      unlink(temporary)
      throw error
    }
    try synchroniseFolder(folder)
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

  private static func openTemporary(folder: String, name: String) throws -> (Int32, String) {
    for attempt in 0..<10_000 {
      let temporary = "\(folder)/.\(name).\(getpid()).\(attempt).tmp"
      let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      if descriptor >= 0 { return (descriptor, temporary) }
      guard errno == EEXIST else {
        throw SystemError.describe(errno, path: "\(folder)/\(name)", action: "create")
      }
    }
    throw FileError(
      .inputOutput, file: "\(folder)/\(name)", problem: "10,000 temporary files are in the way",
      remedy: "remove the files named .\(name).*.tmp in that folder")
  }
}
