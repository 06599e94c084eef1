import Foundation
import Glibc

/// Reads whole files into memory, where later changes of the file cannot reach them.
package enum FileContents {
  /// The limit of files for which no other is given: more than any tokenizer or plan has.
  package static let usualLimit = 1 << 30

  /// The bytes of the regular file at `url`.
  ///
  /// - Parameter limit: the largest size in bytes.
  /// - Throws: `FileError` if it is not a regular file, is larger, or cannot be read.
  package static func read(_ url: URL, limit: Int = Self.usualLimit) throws(FileError) -> Data {
    let (descriptor, status) = try RegularFile.open(url.path)
    defer { close(descriptor) }
    return try read(descriptor, expected: Int(status.st_size), path: url.path, limit: limit)
  }

  /// The bytes of the file at `url`; `nil` if there is none.
  ///
  /// - Throws: `FileError` if it exists but is not a regular file, or cannot be read.
  package static func readIfPresent(_ url: URL) throws(FileError) -> Data? {
    do { return try read(url) } catch {
      guard error.kind == .missing else { throw error }
      return nil
    }
  }

  /// The bytes of a text that a user names: a regular file, or one of the process's open descriptors such as
  /// `/dev/stdin` or a shell's `<(command)`, which is read to its end. Other pipes and devices are refused.
  ///
  /// - Parameter limit: the largest size in bytes.
  /// - Throws: `FileError` if it is none of these, is larger, or cannot be read.
  package static func readText(_ path: String, limit: Int = Self.usualLimit) throws(FileError) -> Data {
    guard let number = OpenDescriptor(path: path)?.number else {
      return try read(URL(fileURLWithPath: path), limit: limit)
    }
    let descriptor = fcntl(number, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: path, action: "open") }
    defer { close(descriptor) }
    return try read(descriptor, expected: 0, path: path, limit: limit)
  }

  private static func read(
    _ descriptor: Int32, expected: Int, path: String, limit: Int
  ) throws(FileError) -> Data {
    func tooLarge() -> FileError {
      FileError(
        .unsupported, file: path, problem: "is larger than \(limit >> 20) MiB", remedy: "give another file")
    }
    guard expected <= limit else { throw tooLarge() }
    var data = Data()
    // A sparse file can claim any size.
    data.reserveCapacity(min(expected, 1 << 24))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError.describe(errno, path: path, action: "read")
      }
      if count == 0 { return data }
      data.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      guard data.count <= limit else { throw tooLarge() }
    }
  }
}

/// A path that names one of the process's open descriptors, such as `/dev/stdout` or `/dev/fd/3`.
struct OpenDescriptor {
  let number: Int32

  init?(path: String) {
    switch path {
    case "/dev/stdin": number = STDIN_FILENO
    case "/dev/stdout": number = STDOUT_FILENO
    case "/dev/stderr": number = STDERR_FILENO
    default:
      let folders = ["/dev/fd/", "/proc/self/fd/", "/proc/\(getpid())/fd/"]
      guard let folder = folders.first(where: path.hasPrefix),
        let number = Int32(path.dropFirst(folder.count)), number >= 0
      else { return nil }
      self.number = number
    }
  }
}
