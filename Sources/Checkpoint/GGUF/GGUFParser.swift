import SafeFiles

/// Reads and validates a GGUF file's header, metadata and tensor table.
struct GGUFParser {
  /// The contents of the header, metadata and tensor table.
  struct Contents {
    var version = 0
    var keys: [String] = []
    var metadata: [String: GGUFValue] = [:]
    var tensors: [GGUFTensor] = []
    var tensorIndex: [String: Int] = [:]
    /// The offset of the first byte after the metadata.
    var metadataEnd = 0
  }

  /// The maximum nesting depth of arrays. Real files have no nested arrays.
  static let deepestArray = 4

  private var cursor: ByteCursor

  init(_ file: MappedFile) { cursor = ByteCursor(file) }

  /// Creates a parser at `offset`, which must be within the file.
  init(_ file: MappedFile, at offset: Int) {
    cursor = ByteCursor(file, offset: offset)
  }

  mutating func parse() throws -> Contents {
    var contents = Contents()
    guard try cursor.integer(UInt32.self, "magic") == 0x4655_4747 else {
      throw malformed("magic", "does not start with GGUF", "give a GGUF file")
    }
    let version = try cursor.integer(UInt32.self, "version")
    guard version == 2 || version == 3 else {
      let isSwapped = version.byteSwapped == 2 || version.byteSwapped == 3
      throw FileError(
        .unsupported, file: cursor.path, field: "version",
        problem: isSwapped ? "is a big-endian file" : "version \(version) is not supported, only 2 and 3",
        remedy: "convert the model again with a current tool for a little-endian machine")
    }
    contents.version = Int(version)
    // A row of the tensor table takes at least 32 bytes and a metadata pair at least 13, so larger counts
    // cannot fit.
    let tensorCount = try count("tensor count", bytesEach: 32)
    let keyCount = try count("metadata count", bytesEach: 13)
    try metadata(keyCount, into: &contents)
    contents.metadataEnd = cursor.offset
    let alignment = try alignment(contents.metadata)
    try tensors(tensorCount, alignment: alignment, into: &contents)
    return contents
  }

  private mutating func count(_ field: String, bytesEach size: Int) throws -> Int {
    let count = try cursor.integer(UInt64.self, field)
    guard count <= UInt64(cursor.remaining / size) else {
      throw cursor.truncated(field, needs: "at least \(size) bytes for each of \(count) entries")
    }
    return Int(count)
  }

  private mutating func metadata(_ count: Int, into contents: inout Contents) throws {
    contents.keys.reserveCapacity(count)
    for index in 0..<count {
      let key = try cursor.string("metadata key \(index)")
      let type = try valueType(key)
      let value = try value(type, key, depth: 0)
      guard contents.metadata.updateValue(value, forKey: key) == nil else {
        throw malformed(key, "is duplicated in the metadata", "convert the model again")
      }
      contents.keys.append(key)
    }
  }

  private mutating func valueType(_ key: String) throws -> GGUFValueType {
    let offset = cursor.offset
    let number = try cursor.integer(UInt32.self, key)
    guard let type = GGUFValueType(rawValue: number) else {
      throw malformed(
        key, "unknown value type \(number) at offset \(offset)", "the file is damaged: fetch it again")
    }
    return type
  }

  /// Reads a string and advances past it.
  mutating func string(_ key: @autoclosure () -> String) throws -> String { try cursor.string(key()) }

  /// Reads a value of type `type` and advances past it.
  mutating func value(
    _ type: GGUFValueType, _ key: @autoclosure () -> String, depth: Int
  ) throws -> GGUFValue {
    switch type {
    case .uint8: return .uint8(try cursor.integer(UInt8.self, key()))
    case .int8: return .int8(try cursor.integer(Int8.self, key()))
    case .uint16: return .uint16(try cursor.integer(UInt16.self, key()))
    case .int16: return .int16(try cursor.integer(Int16.self, key()))
    case .uint32: return .uint32(try cursor.integer(UInt32.self, key()))
    case .int32: return .int32(try cursor.integer(Int32.self, key()))
    case .uint64: return .uint64(try cursor.integer(UInt64.self, key()))
    case .int64: return .int64(try cursor.integer(Int64.self, key()))
    case .float32: return .float32(Float(bitPattern: try cursor.integer(UInt32.self, key())))
    case .float64: return .float64(Double(bitPattern: try cursor.integer(UInt64.self, key())))
    case .bool:
      let offset = cursor.offset
      let byte = try cursor.integer(UInt8.self, key())
      guard byte < 2 else {
        throw malformed(
          key(), "boolean \(byte) at offset \(offset) is neither 0 nor 1",
          "the file is damaged: fetch it again")
      }
      return .bool(byte == 1)
    case .string: return .string(try cursor.string(key()))
    case .array: return .array(try array(key(), depth: depth + 1))
    }
  }

  /// Skips an array, which checks that it is within the file.
  private mutating func array(_ key: String, depth: Int) throws -> GGUFArray {
    guard depth <= Self.deepestArray else {
      throw malformed(
        key, "arrays are nested deeper than \(Self.deepestArray)", "the file is damaged: fetch it again")
    }
    let type = try valueType(key)
    let count = try cursor.integer(UInt64.self, key)
    let offset = cursor.offset
    if let size = type.size {
      _ = try cursor.advance(count, elementsOf: size, key)
    } else {
      // A string takes at least the 8 bytes of its length, an array the 12 bytes of its type and length.
      let least: UInt64 = type == .string ? 8 : 12
      guard count <= UInt64(cursor.remaining) / least else {
        throw cursor.truncated(key, needs: "at least \(least) bytes for each of \(count) elements")
      }
      for index in 0..<count {
        if type == .string {
          _ = try cursor.stringRange("\(key)[\(index)]")
        } else {
          _ = try array(key, depth: depth + 1)
        }
      }
    }
    return GGUFArray(elementType: type, count: Int(count), offset: offset)
  }

  private func alignment(_ metadata: [String: GGUFValue]) throws -> Int {
    let key = "general.alignment"
    guard let value = metadata[key] else { return 32 }
    guard case .uint32(let alignment) = value, alignment > 0, alignment & (alignment - 1) == 0 else {
      throw malformed(key, "\(value) is not a uint32 power of two", "convert the model again")
    }
    return Int(alignment)
  }

  /// A row of the tensor table, before the start of the data is known.
  private struct Row {
    let name: String
    let shape: [Int]
    let type: GGUFTensorType
    let offset: UInt64
    /// `nil` if the type's layout is unknown.
    let byteCount: Int?
  }

  private mutating func tensors(_ count: Int, alignment: Int, into contents: inout Contents) throws {
    var rows: [Row] = []
    rows.reserveCapacity(count)
    for index in 0..<count {
      let row = try row(index)
      guard contents.tensorIndex.updateValue(index, forKey: row.name) == nil else {
        throw malformed(row.name, "is duplicated in the tensor table", "convert the model again")
      }
      rows.append(row)
    }
    let (padded, _) = cursor.offset.addingReportingOverflow(alignment - 1)
    let start = padded & ~(alignment - 1)
    guard rows.isEmpty || start <= cursor.bytes.count else {
      throw cursor.truncated("tensor data", needs: "data from offset \(start) on")
    }
    contents.tensors = try rows.map { row in
      try tensor(row, dataStart: start, alignment: alignment)
    }
    try refuseOverlap(contents.tensors)
  }

  private mutating func row(_ index: Int) throws -> Row {
    let name = try cursor.string("name of tensor \(index)")
    let dimensionCount = try cursor.integer(UInt32.self, name)
    guard (1...4).contains(dimensionCount) else {
      throw malformed(
        name, "has \(dimensionCount) dimensions, not 1 to 4", "the file is damaged: fetch it again")
    }
    var shape: [Int] = []
    var total = 1
    for _ in 0..<dimensionCount {
      let raw = try cursor.integer(UInt64.self, name)
      guard raw > 0, let dimension = Int(exactly: raw) else {
        throw malformed(name, "dimension \(raw) is out of range", "the file is damaged: fetch it again")
      }
      let (product, overflow) = total.multipliedReportingOverflow(by: dimension)
      guard !overflow else {
        throw malformed(
          name, "the product of its dimensions overflows", "the file is damaged: fetch it again")
      }
      total = product
      shape.append(dimension)
    }
    let type = GGUFTensorType(rawValue: try cursor.integer(UInt32.self, name))
    let offset = try cursor.integer(UInt64.self, name)
    var byteCount: Int?
    if let layout = type.layout {
      guard shape[0] % layout.valuesPerBlock == 0 else {
        throw malformed(
          name,
          "rows of \(shape[0]) values are not a multiple of \(type)'s block of \(layout.valuesPerBlock)",
          "convert the model again")
      }
      let (bytes, overflow) = (total / layout.valuesPerBlock).multipliedReportingOverflow(
        by: layout.bytesPerBlock)
      guard !overflow else {
        throw malformed(name, "its size in bytes overflows", "the file is damaged: fetch it again")
      }
      byteCount = bytes
    }
    return Row(name: name, shape: shape.reversed(), type: type, offset: offset, byteCount: byteCount)
  }

  private func tensor(_ row: Row, dataStart: Int, alignment: Int) throws -> GGUFTensor {
    let available = cursor.bytes.count - dataStart
    guard row.offset % UInt64(alignment) == 0 else {
      throw malformed(
        row.name, "data offset \(row.offset) is not a multiple of the alignment \(alignment)",
        "the file is damaged: fetch it again")
    }
    guard let offset = Int(exactly: row.offset), offset <= available,
      (row.byteCount ?? 0) <= available - offset
    else {
      throw malformed(
        row.name,
        "needs \(row.byteCount ?? 0) bytes at data offset \(row.offset) (file offset \(dataStart) + that), "
          + "but the file holds \(available) bytes of data",
        "the file is truncated or damaged: fetch it again")
    }
    let begin = dataStart + offset
    return GGUFTensor(
      name: row.name, shape: row.shape, type: row.type, byteRange: begin..<begin + (row.byteCount ?? 0))
  }

  private func refuseOverlap(_ tensors: [GGUFTensor]) throws {
    let sorted = tensors.sorted { $0.byteRange.lowerBound < $1.byteRange.lowerBound }
    for (first, second) in zip(sorted, sorted.dropFirst())
    where first.byteRange.upperBound > second.byteRange.lowerBound {
      throw malformed(
        second.name, "its bytes \(second.byteRange) overlap those of \(first.name), \(first.byteRange)",
        "the file is damaged: fetch it again")
    }
  }

  private func malformed(_ field: String, _ problem: String, _ remedy: String) -> FileError {
    FileError(.malformed, file: cursor.path, field: field, problem: problem, remedy: remedy)
  }
}
