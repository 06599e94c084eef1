import Foundation
import Glibc

/// A whole file mapped read-only into memory.
///
/// The mapping is private and is removed with the last reference. The file must not be truncated while it is
/// mapped: accessing a page that no longer exists kills the process. Files are replaced by renaming
/// (`AtomicFile`), which leaves existing mappings valid.
///
/// `@unchecked Sendable`: the memory is mapped without write permission, all stored properties are constants,
/// and the memory lives as long as this object, so any number of threads may read it.
package final class MappedFile: @unchecked Sendable {
  /// The path as given, for error messages.
  package let path: String
  /// The file's bytes, valid while this object is alive. Swift may release an object after its last use, so
  /// keep it alive with `withExtendedLifetime` while you use the pointer, or call `withBytes`.
  package let bytes: UnsafeRawBufferPointer

  private let release: @Sendable (UnsafeRawBufferPointer) -> Void
  /// Whether the bytes can be read again from a file.
  private let isBacked: Bool

  /// Maps the file at `url`.
  ///
  /// - Throws: `FileError` if the file does not exist, is not a regular file, or cannot be mapped.
  package init(_ url: URL) throws {
    path = url.path
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw SystemError.describe(errno, path: url.path, action: "examine")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(
        .inputOutput, file: url.path, problem: "is not a regular file", remedy: "give the path of a file")
    }
    let length = Int(status.st_size)
    guard length > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      release = { _ in }
      isBacked = false
      return
    }
    let address = mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address, address != MAP_FAILED else {
      throw SystemError.describe(errno, path: url.path, action: "map into memory")
    }
    bytes = UnsafeRawBufferPointer(start: address, count: length)
    isBacked = true
    release = { bytes in
      guard let start = bytes.baseAddress else { return }
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }

  /// The bytes of the file at `url`; `nil` if there is none.
  ///
  /// - Throws: `FileError` if it exists but cannot be read.
  package static func contents(of url: URL) throws -> Data? {
    do { return try MappedFile(url).withBytes { Data($0) } } catch let error as FileError {
      guard error.kind == .missing else { throw error }
      return nil
    }
  }

  /// Takes ownership of memory that is already mapped; `release` is called once, when it is no longer needed.
  package init(
    adopting bytes: UnsafeRawBufferPointer, path: String,
    release: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) {
    self.bytes = bytes
    self.path = path
    self.release = release
    isBacked = false
  }

  deinit { release(bytes) }

  /// Calls `body` with the file's bytes, which stay mapped until it returns.
  package func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
    try withExtendedLifetime(self) { try body(bytes) }
  }

  /// Lets the system reclaim the memory of the pages read so far; pages accessed later are read again. This
  /// is only a hint: the contents do not change.
  package func forgetPages() {
    guard isBacked, let start = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, MADV_DONTNEED)
  }

  /// The file's length in bytes.
  package var count: Int { bytes.count }
}
