import Foundation
import Glibc

/// A whole file, opened for reading: small ones in memory, others mapped.
///
/// Accessing a mapped page that no longer exists, because the file was truncated, kills the process. Therefore
/// `read(_:_:)` reads from the file, with an error in that case; `bytes` is for headers, while the file is
/// being opened. Files are replaced by renaming (`AtomicFile`), which leaves an opened file as it was.
///
/// `@unchecked Sendable`: the memory is not written, all stored properties are constants, and the memory lives
/// as long as this object, so any number of threads may read it.
package final class MappedFile: @unchecked Sendable {
  /// The path as given, for error messages.
  package let path: String
  /// The file's bytes, valid while this object is alive. Swift may release an object after its last use, so
  /// keep it alive with `withExtendedLifetime` while you use the pointer, or call `withBytes`.
  package let bytes: UnsafeRawBufferPointer

  /// The size up to which a file is read into memory at once, and the most that `read(_:_:)` should be asked
  /// for at a time.
  package static let pieceBytes = 1 << 20

  private let release: @Sendable (UnsafeRawBufferPointer) -> Void
  /// Whether `bytes` are pages of a file, to which `descriptor` belongs.
  private let isMapped: Bool
  /// The open file; `nil` if the memory was adopted.
  private let descriptor: Int32?
  private let version: Version

  /// What changes whenever a file's content does.
  private struct Version: Equatable {
    var size = 0
    var seconds = 0
    var nanoseconds = 0

    init() {}

    init(_ status: stat) {
      (size, seconds) = (Int(status.st_size), status.st_mtim.tv_sec)
      nanoseconds = status.st_mtim.tv_nsec
    }
  }

  /// Opens the file at `url`.
  ///
  /// - Throws: `FileError` if the file does not exist, is not a regular file, or cannot be read.
  package init(_ url: URL) throws {
    path = url.path
    let (descriptor, status) = try RegularFile.open(url.path)
    let length = Int(status.st_size)
    do {
      if length <= Self.pieceBytes {
        isMapped = false
        bytes = try Self.copy(descriptor, 0..<length, path: url.path)
        release = { $0.deallocate() }
      } else {
        let address = mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else {
          throw SystemError.describe(errno, path: url.path, action: "map into memory")
        }
        isMapped = true
        bytes = UnsafeRawBufferPointer(start: address, count: length)
        release = { bytes in
          guard let start = bytes.baseAddress else { return }
          munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
        }
      }
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
    version = Version(status)
  }

  /// Takes ownership of memory that is already mapped; `release` is called once, when it is no longer needed.
  package init(
    adopting bytes: UnsafeRawBufferPointer, path: String,
    release: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) {
    self.bytes = bytes
    self.path = path
    self.release = release
    (isMapped, descriptor, version) = (false, nil, Version())
  }

  deinit {
    release(bytes)
    if let descriptor { close(descriptor) }
  }

  /// Calls `body` with the file's bytes, which stay mapped until it returns.
  package func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
    try withExtendedLifetime(self) { try body(bytes) }
  }

  /// Calls `body` with the bytes of a range, which must be within the file. May be called by several threads
  /// at once.
  ///
  /// - Throws: `FileError` if the file has become shorter or cannot be read; any error of `body`.
  package func read<T>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> T) throws -> T {
    guard isMapped, let descriptor else {
      return try withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
    let piece = try Self.copy(descriptor, range, path: path)
    defer { piece.deallocate() }
    return try body(piece)
  }

  /// Checks that the file still has the content with which it was opened, by its size and the time of its last
  /// change. A file that was replaced by another of the same name has.
  ///
  /// - Throws: `FileError` if it was truncated or written to.
  package func checkUnchanged() throws(FileError) {
    guard let descriptor else { return }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw SystemError.describe(errno, path: path, action: "examine")
    }
    let now = Version(status)
    guard now != version else { return }
    throw Self.changed(
      path, now.size == version.size ? "was written to" : "has \(now.size) bytes and had \(version.size)")
  }

  /// Lets the system reclaim the memory of the pages read so far; pages accessed later are read again. This
  /// is only a hint: the contents do not change.
  package func forgetPages() {
    guard isMapped, let start = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, MADV_DONTNEED)
  }

  /// The file's length in bytes.
  package var count: Int { bytes.count }

  /// The bytes of a range of a file, in new memory.
  private static func copy(
    _ descriptor: Int32, _ range: Range<Int>, path: String
  ) throws(FileError) -> UnsafeRawBufferPointer {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 64)
    var done = 0
    while done < range.count {
      let count = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, range.count - done, range.lowerBound + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let code = errno
        buffer.deallocate()
        throw count < 0
          ? SystemError.describe(code, path: path, action: "read")
          : changed(path, "ends at byte \(range.lowerBound + done) now")
      }
      done += count
    }
    return UnsafeRawBufferPointer(buffer)
  }

  private static func changed(_ path: String, _ how: String) -> FileError {
    FileError(
      .inputOutput, file: path, problem: "has changed since it was opened: it \(how)",
      remedy: "restore it, do not write to it while it is in use, and start again")
  }
}
