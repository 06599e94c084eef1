import Foundation
import SafeFiles

/// A GGUF file (version 2 or 3, little-endian). Its metadata are kept in memory; tensors are read from the file.
///
/// Layout: magic `GGUF`, version (u32), tensor count (u64), metadata count (u64), the metadata (key, type,
/// value), the tensor table (name, dimension count u32, dimensions u64 fastest first, type u32, offset u64
/// relative to the data), padding to `general.alignment` (default 32), the data. Everything is validated when
/// the file is opened, before any tensor's bytes are accessed.
package final class GGUFFile: Sendable {
  /// The file's path, for messages.
  package let path: String
  /// The version of the format.
  package let version: Int
  /// The metadata keys, in file order.
  package let keys: [String]
  package let metadata: [String: GGUFValue]
  /// The tensor table, in file order.
  package let tensors: [GGUFTensor]

  let file: MappedFile
  /// The bytes up to the end of the metadata: a copy, which later changes of the file do not reach.
  private let header: MappedFile
  private let tensorIndex: [String: Int]

  /// Opens and validates a file.
  ///
  /// - Throws: `FileError` with the field and offsets if the bytes are not a complete, consistent GGUF file.
  package convenience init(_ url: URL) throws { try self.init(MappedFile(url)) }

  /// Validates a file that is already mapped.
  package init(_ file: MappedFile) throws {
    var parser = GGUFParser(file)
    let contents = try parser.parse()
    self.file = file
    path = file.path
    version = contents.version
    keys = contents.keys
    metadata = contents.metadata
    tensors = contents.tensors
    tensorIndex = contents.tensorIndex
    header = try file.read(0..<contents.metadataEnd) { bytes in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
      copy.copyMemory(from: bytes)
      return MappedFile(adopting: UnsafeRawBufferPointer(copy), path: file.path) { $0.deallocate() }
    }
  }

  /// The tensor called `name`, or `nil`.
  package func tensor(_ name: String) -> GGUFTensor? { tensorIndex[name].map { tensors[$0] } }

  /// Checks that the file has not been written to since it was opened.
  ///
  /// - Throws: `FileError` if it has.
  package func checkUnchanged() throws(FileError) { try file.checkUnchanged() }

  /// The elements of an array of strings, in order.
  ///
  /// - Throws: `FileError` if the key is missing, is not an array of strings, or a string is not UTF-8.
  package func strings(_ key: String) throws -> [String] {
    let array = try self.array(key)
    guard array.elementType == .string else { throw wrongType(key, expected: "an array of strings") }
    return try elements(array) { parser, index in try parser.string("\(key)[\(index)]") }
  }

  /// The elements of an array of any integer type, in order.
  ///
  /// - Throws: `FileError` if the key is missing or is not an array of integers that fit.
  package func integers(_ key: String) throws -> [Int] {
    try elements(key, expected: "an array of integers", \.integer)
  }

  /// The elements of an array of any numeric type, in order.
  ///
  /// - Throws: `FileError` if the key is missing or is not an array of numbers.
  package func numbers(_ key: String) throws -> [Double] {
    try elements(key, expected: "an array of numbers", \.number)
  }

  /// The elements of an array from this file's metadata.
  ///
  /// - Throws: `FileError` if a string is not UTF-8.
  package func elements(of array: GGUFArray) throws -> [GGUFValue] {
    try elements(array) { parser, index in
      try parser.value(array.elementType, "element \(index)", depth: 0)
    }
  }

  private func elements<T>(
    _ array: GGUFArray, _ read: (inout GGUFParser, Int) throws -> T
  ) throws -> [T] {
    var parser = GGUFParser(header, at: array.offset)
    do {
      return try (0..<array.count).map { try read(&parser, $0) }
    } catch {
      // Lengths were checked when the file was opened; the copy may be of another content.
      try file.checkUnchanged()
      throw error
    }
  }

  private func elements<T>(
    _ key: String, expected: String, _ convert: (GGUFValue) -> T?
  ) throws -> [T] {
    try elements(of: array(key)).map {
      guard let value = convert($0) else { throw wrongType(key, expected: expected) }
      return value
    }
  }

  private func array(_ key: String) throws -> GGUFArray {
    guard case .array(let array) = try value(key) else { throw wrongType(key, expected: "an array") }
    return array
  }

  private func value(_ key: String) throws -> GGUFValue {
    guard let value = metadata[key] else {
      throw FileError(
        .missing, file: path, field: key, problem: "the metadata has no such key",
        remedy: "convert the model again with a current tool")
    }
    return value
  }

  /// The error for a metadata value with the wrong type.
  func wrongType(_ key: String, expected: String) -> FileError {
    let found = metadata[key].map { "\($0)" } ?? "nothing"
    return FileError(
      .malformed, file: path, field: key, problem: "expected \(expected), found \(found.prefix(60))",
      remedy: "convert the model again with a current tool")
  }

  /// The string for `key`; `nil` if the key is missing. Throws if it has another type.
  package func string(_ key: String) throws -> String? {
    guard let value = metadata[key] else { return nil }
    guard let string = value.string else { throw wrongType(key, expected: "a string") }
    return string
  }

  /// The integer for `key`; `nil` if the key is missing. Throws if it has another type.
  package func integer(_ key: String) throws -> Int? {
    guard let value = metadata[key] else { return nil }
    guard let integer = value.integer else { throw wrongType(key, expected: "an integer") }
    return integer
  }

  /// The number for `key`; `nil` if the key is missing. Throws if it has another type.
  package func number(_ key: String) throws -> Double? {
    guard let value = metadata[key] else { return nil }
    guard let number = value.number else { throw wrongType(key, expected: "a number") }
    return number
  }

  /// The boolean for `key`; `nil` if the key is missing. Throws if it has another type.
  package func bool(_ key: String) throws -> Bool? {
    guard let value = metadata[key] else { return nil }
    guard let bool = value.bool else { throw wrongType(key, expected: "a boolean") }
    return bool
  }
}
