import Crypto
import Foundation
import Glibc

/// SHA-256 of whole files.
package enum FileChecksum {
  /// The SHA-256 of the file at `url` in lower-case hexadecimal. Reads the file in chunks of 1 MiB.
  ///
  /// - Throws: `FileError` if the file cannot be read.
  package static func sha256(of url: URL) throws -> String {
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "open") }
    defer { close(descriptor) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var hash = SHA256()
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError.describe(errno, path: url.path, action: "read")
      }
      if count == 0 { break }
      hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    return hexadecimal(hash.finalize())
  }

  /// The SHA-256 of bytes in memory, in lower-case hexadecimal.
  package static func sha256(of data: Data) -> String { hexadecimal(SHA256.hash(data: data)) }

  private static func hexadecimal(_ digest: SHA256.Digest) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in digest {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
