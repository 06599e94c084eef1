import Foundation
import SafeFiles

/// A memory-mapped safetensors file.
///
/// Layout: the header's length in bytes (u64, little-endian), the header, the data. The header is a JSON
/// object with `name: {dtype, shape, data_offsets}` for each tensor and `__metadata__`, a map of strings.
/// Offsets are relative to the data. The tensors' ranges must cover the data without gaps or overlaps.
package final class SafetensorsFile: Sendable {
  /// The size limit of a header in bytes, as in the format's reference implementation.
  package static let largestHeader = 100_000_000

  /// The file's path, for messages.
  package let path: String
  /// The tensors, in the order of their data.
  package let tensors: [SafetensorsTensor]
  /// The `__metadata__` map; empty if there is none.
  package let metadata: [String: String]

  private let file: MappedFile
  private let index: [String: Int]

  /// Opens and validates a file.
  ///
  /// - Throws: `FileError` with the field if the bytes are not a complete, consistent file.
  package convenience init(_ url: URL) throws { try self.init(MappedFile(url)) }

  /// Validates a file that is already mapped.
  package init(_ file: MappedFile) throws {
    let header = try SafetensorsHeader(file)
    self.file = file
    path = file.path
    tensors = header.tensors
    metadata = header.metadata
    index = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { ($1.name, $0) })
  }

  /// Lets the system reclaim the memory of the pages read so far.
  package func forgetPages() { file.forgetPages() }

  /// The tensors' names, sorted.
  package var names: [String] { index.keys.sorted() }

  /// The tensor called `name`, or `nil`.
  package func tensor(_ name: String) -> SafetensorsTensor? { index[name].map { tensors[$0] } }

  /// The tensor called `name`.
  ///
  /// - Throws: `FileError` if there is none.
  package func require(_ name: String) throws -> SafetensorsTensor {
    guard let tensor = tensor(name) else {
      throw FileError(
        .missing, file: path, field: name, problem: "the file has no such tensor",
        remedy: "it holds \(tensors.count) tensors; check that it is the right file")
    }
    return tensor
  }

  /// Checks that the file has not been written to since it was opened.
  ///
  /// - Throws: `FileError` if it has.
  package func checkUnchanged() throws(FileError) { try file.checkUnchanged() }

  /// Reads elements of a tensor in pieces of about 1 MiB, and calls `body` with each piece, which has any
  /// alignment, and the range of its elements. `elements` must be within the tensor.
  ///
  /// - Throws: `FileError` if the file cannot be read; any error of `body`.
  package func forEachPiece(
    of tensor: SafetensorsTensor, elements: Range<Int>? = nil,
    _ body: (UnsafeRawBufferPointer, Range<Int>) throws -> Void
  ) throws {
    let (all, size) = (elements ?? 0..<tensor.count, tensor.type.size)
    let most = MappedFile.pieceBytes / size
    for start in stride(from: all.lowerBound, to: all.upperBound, by: most) {
      let part = start..<min(start + most, all.upperBound)
      let first = tensor.byteRange.lowerBound
      try file.read(first + part.lowerBound * size..<first + part.upperBound * size) { try body($0, part) }
    }
  }

  /// Reads elements of a tensor, in row-major order, as float32.
  ///
  /// F32, F16 and BF16 are converted exactly; F64 is rounded to nearest.
  ///
  /// - Throws: `FileError` with the type if it is none of these.
  /// - Precondition: `elements` is within the tensor.
  package func readFloat32(
    _ tensor: SafetensorsTensor, elements: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) throws {
    precondition(elements.lowerBound >= 0 && elements.upperBound <= tensor.count, "beyond the tensor")
    guard tensor.type.convertsToFloat32 else {
      throw wrongType(tensor, expected: "F32, F16, BF16 or F64")
    }
    try forEachPiece(of: tensor, elements: elements) { bytes, part in
      guard let source = bytes.baseAddress else { return }
      let target = target + (part.lowerBound - elements.lowerBound)
      switch tensor.type {
      case .float16: FloatConversion.float32(halves: source, count: part.count, into: target)
      case .bfloat16: FloatConversion.float32(brains: source, count: part.count, into: target)
      case .float64:
        for index in 0..<part.count {
          target[index] = Float(source.loadUnaligned(fromByteOffset: index * 8, as: Double.self))
        }
      default: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: part.count * 4)
      }
    }
  }

  /// Reads all elements of a tensor as float32; see `readFloat32(_:elements:into:)`.
  package func float32(_ name: String) throws -> [Float] {
    let tensor = try require(name)
    // An array without elements is shared by all threads, and this initialiser writes its count.
    guard tensor.count > 0 else { return [] }
    return try [Float](unsafeUninitializedCapacity: tensor.count) { buffer, count in
      if let base = buffer.baseAddress { try readFloat32(tensor, elements: 0..<tensor.count, into: base) }
      count = tensor.count
    }
  }

  /// Reads all elements of an F64 tensor.
  package func float64(_ name: String) throws -> [Double] {
    let tensor = try require(name)
    guard tensor.type == .float64 else { throw wrongType(tensor, expected: "F64") }
    return try elements(of: tensor)
  }

  /// Reads all elements of an integer tensor (`U8`, `I8`, `U16` … `I64`) as `T`.
  ///
  /// - Throws: `FileError` if the type is not an integer type or an element does not fit.
  package func integers<T: FixedWidthInteger>(_ name: String, as type: T.Type = T.self) throws -> [T] {
    let tensor = try require(name)
    switch tensor.type {
    case .uint8: return try convert(elements(of: tensor, UInt8.self), tensor)
    case .int8: return try convert(elements(of: tensor, Int8.self), tensor)
    case .uint16: return try convert(elements(of: tensor, UInt16.self), tensor)
    case .int16: return try convert(elements(of: tensor, Int16.self), tensor)
    case .uint32: return try convert(elements(of: tensor, UInt32.self), tensor)
    case .int32: return try convert(elements(of: tensor, Int32.self), tensor)
    case .uint64: return try convert(elements(of: tensor, UInt64.self), tensor)
    case .int64: return try convert(elements(of: tensor, Int64.self), tensor)
    default: throw wrongType(tensor, expected: "an integer type")
    }
  }

  private func convert<S: FixedWidthInteger, T: FixedWidthInteger>(
    _ values: [S], _ tensor: SafetensorsTensor
  ) throws -> [T] {
    try values.map {
      guard let value = T(exactly: $0) else { throw wrongType(tensor, expected: "values that fit \(T.self)") }
      return value
    }
  }

  private func elements<T>(of tensor: SafetensorsTensor, _ type: T.Type = T.self) throws -> [T] {
    var values: [T] = []
    values.reserveCapacity(tensor.count)
    try forEachPiece(of: tensor) { bytes, part in
      for index in 0..<part.count {
        values.append(bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self))
      }
    }
    return values
  }

  private func wrongType(_ tensor: SafetensorsTensor, expected: String) -> FileError {
    FileError(
      .unsupported, file: path, field: tensor.name, problem: "holds \(tensor.type.rawValue), not \(expected)",
      remedy: "convert the tensor or give another file")
  }
}
