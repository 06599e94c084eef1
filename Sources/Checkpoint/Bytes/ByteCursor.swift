import SafeFiles

/// A position in a file's bytes. It checks that the bytes exist before it advances.
struct ByteCursor {
  let bytes: UnsafeRawBufferPointer
  /// Keeps `bytes` mapped while the cursor exists.
  private let file: MappedFile
  let path: String
  private(set) var offset: Int

  init(_ file: MappedFile, offset: Int = 0) {
    self.file = file
    bytes = file.bytes
    path = file.path
    self.offset = offset
  }

  var remaining: Int { bytes.count - offset }

  /// Reads a little-endian integer.
  mutating func integer<T: FixedWidthInteger>(_ type: T.Type, _ field: @autoclosure () -> String) throws -> T
  {
    let start = try advance(MemoryLayout<T>.size, field())
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: T.self))
  }

  /// Skips `count` bytes and returns their offset.
  mutating func advance(_ count: Int, _ field: @autoclosure () -> String) throws -> Int {
    guard count >= 0, count <= remaining else {
      throw truncated(field(), needs: "\(count) bytes")
    }
    defer { offset += count }
    return offset
  }

  /// Skips `count` elements of `size` bytes and returns their offset. Checks the product for overflow.
  mutating func advance(_ count: UInt64, elementsOf size: Int, _ field: @autoclosure () -> String) throws
    -> Int
  {
    let (total, overflow) = count.multipliedReportingOverflow(by: UInt64(size))
    guard !overflow, total <= UInt64(remaining) else {
      throw truncated(field(), needs: "\(count) elements of \(size) bytes")
    }
    return try advance(Int(total), field())
  }

  /// Skips a string (a 64-bit length, then bytes) and returns the range of its bytes.
  mutating func stringRange(_ field: @autoclosure () -> String) throws -> Range<Int> {
    let length = try integer(UInt64.self, field())
    guard length <= UInt64(remaining) else {
      throw truncated(field(), needs: "a string of \(length) bytes")
    }
    let start = try advance(Int(length), field())
    return start..<start + Int(length)
  }

  /// Reads a string (a 64-bit length, then UTF-8).
  mutating func string(_ field: @autoclosure () -> String) throws -> String {
    let range = try stringRange(field())
    return try Self.string(bytes, range, path: path, field: field())
  }

  /// The UTF-8 text in `range`, which must be within `bytes`.
  static func string(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, path: String, field: @autoclosure () -> String
  ) throws -> String {
    let slice = UnsafeRawBufferPointer(rebasing: bytes[range])
    guard let text = String(validating: slice.bindMemory(to: UInt8.self), as: UTF8.self) else {
      throw FileError(
        .malformed, file: path, field: field(), problem: "bytes \(range) are not UTF-8",
        remedy: "the file is damaged or was written by a faulty tool: fetch or convert it again")
    }
    return text
  }

  func truncated(_ field: String, needs: String) -> FileError {
    FileError(
      .malformed, file: path, field: field,
      problem: "needs \(needs) at offset \(offset), but the file ends at \(bytes.count)",
      remedy: "the file is truncated or damaged: fetch it again")
  }
}
