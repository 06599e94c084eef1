import Crypto
import Foundation
import Glibc

/// SHA-256 of whole files.
package enum FileChecksum {
  /// The SHA-256 of the file at `url` in lower-case hexadecimal. Reads the file in chunks of 1 MiB.
  ///
  /// - Throws: `FileError` if it is not a regular file or cannot be read.
  package static func sha256(of url: URL) throws -> String {
    let descriptor = try RegularFile.open(url.path).descriptor
    defer { close(descriptor) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var checksum = Checksum()
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError.describe(errno, path: url.path, action: "read")
      }
      if count == 0 { break }
      checksum.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    return checksum.text
  }

  /// The SHA-256 of bytes in memory, in lower-case hexadecimal.
  package static func sha256(of data: Data) -> String {
    var checksum = Checksum()
    data.withUnsafeBytes { checksum.add($0) }
    return checksum.text
  }
}

/// The SHA-256 of bytes that are given piece by piece.
package struct Checksum {
  private var hash = SHA256()

  package init() {}

  package mutating func add(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

  /// Adds a text in UTF-8, preceded by its length in 8 bytes.
  package mutating func add(_ text: String) {
    withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { add($0) }
    var text = text
    text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  /// The SHA-256 in lower-case hexadecimal.
  package var text: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
