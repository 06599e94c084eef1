import SafeFiles
import StrictJSON

/// The validated header of a safetensors file.
struct SafetensorsHeader {
  private(set) var tensors: [SafetensorsTensor] = []
  private(set) var metadata: [String: String] = [:]
  private let path: String

  init(_ file: MappedFile) throws {
    path = file.path
    let start = MemoryLayout<UInt64>.size
    guard file.count >= start else { throw truncated(file, "header length", needs: start, at: 0) }
    let length = try file.read(0..<start) { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard length <= UInt64(SafetensorsFile.largestHeader) else {
      throw malformed("header length", "\(length) bytes is above the format's 100,000,000")
    }
    let dataStart = start + Int(length)
    guard dataStart <= file.count else { throw truncated(file, "header", needs: Int(length), at: start) }
    let json = try file.read(start..<dataStart) { text in
      guard text.first == UInt8(ascii: "{") else { throw malformed("header", "does not start with a brace") }
      return try JSONParser.parse(text, path: file.path)
    }
    for member in json.members ?? [] {
      if member.key == "__metadata__" {
        try readMetadata(member.value)
      } else {
        tensors.append(
          try tensor(member.key, member.value, dataStart: dataStart, dataCount: file.count - dataStart))
      }
    }
    try checkCoverage(dataStart: dataStart, end: file.count)
  }

  private mutating func readMetadata(_ json: JSONValue) throws {
    guard let members = json.members else { throw malformed("__metadata__", "is not a map of strings") }
    for member in members {
      guard let text = member.value.string else {
        throw malformed("__metadata__.\(member.key)", "is not a string")
      }
      metadata[member.key] = text
    }
  }

  private func tensor(
    _ name: String, _ json: JSONValue, dataStart: Int, dataCount: Int
  ) throws -> SafetensorsTensor {
    guard let typeName = json["dtype"]?.string else { throw malformed(name, "has no dtype") }
    guard let type = SafetensorsType(rawValue: typeName) else {
      throw FileError(
        .unsupported, file: path, field: name, problem: "dtype \(typeName) is not supported",
        remedy: "convert the file to F32, F16 or BF16")
    }
    guard let dimensions = json["shape"]?.array else { throw malformed(name, "has no shape") }
    let shape = try dimensions.map {
      guard case .integer(let dimension) = $0, dimension >= 0 else {
        throw malformed(name, "its shape contains something other than a natural number")
      }
      return dimension
    }
    var size = type.size
    for dimension in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw malformed(name, "the product of its shape \(shape) overflows") }
      size = product
    }
    guard let offsets = json["data_offsets"]?.array, offsets.count == 2,
      case .integer(let begin) = offsets[0],
      case .integer(let end) = offsets[1]
    else { throw malformed(name, "data_offsets is not a pair of natural numbers") }
    guard begin >= 0, begin <= end, end <= dataCount else {
      throw malformed(name, "data_offsets \(begin)..\(end) are beyond the file's \(dataCount) bytes of data")
    }
    guard end - begin == size else {
      throw malformed(
        name, "data_offsets span \(end - begin) bytes, but \(typeName) of shape \(shape) takes \(size)")
    }
    return SafetensorsTensor(
      name: name, type: type, shape: shape, byteRange: dataStart + begin..<dataStart + end)
  }

  /// Sorts the tensors by their data and checks that there are no gaps or overlaps.
  private mutating func checkCoverage(dataStart: Int, end: Int) throws {
    tensors.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound, $0.name)
        < ($1.byteRange.lowerBound, $1.byteRange.upperBound, $1.name)
    }
    var covered = dataStart
    for tensor in tensors {
      guard tensor.byteRange.lowerBound == covered else {
        let what = tensor.byteRange.lowerBound < covered ? "overlap the previous tensor" : "leave a gap"
        throw malformed(tensor.name, "its bytes from \(tensor.byteRange.lowerBound) on \(what) (\(covered))")
      }
      covered = tensor.byteRange.upperBound
    }
    guard covered == end else {
      throw malformed("data", "the tensors end at byte \(covered), the file at \(end)")
    }
  }

  private func truncated(_ file: MappedFile, _ field: String, needs: Int, at offset: Int) -> FileError {
    malformed(field, "needs \(needs) bytes at offset \(offset), but the file ends at \(file.count)")
  }

  private func malformed(_ field: String, _ problem: String) -> FileError {
    FileError(
      .malformed, file: path, field: field, problem: problem,
      remedy: "the file is truncated or damaged: fetch or write it again")
  }
}
