import Foundation

/// A JSON document as read, objects in file order.
///
/// Foundation's reader takes most of a second for a tokenizer.json on Linux; this one takes milliseconds.
enum JSONNode: Sendable, Equatable {
  struct Member: Sendable, Equatable {
    var key: String
    var value: JSONNode
  }

  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONNode])
  case object([Member])

  /// Reads a document (RFC 8259) in UTF-8.
  ///
  /// - Parameter file: what errors name.
  init(_ data: Data, file: String) throws(TokenizerError) {
    guard let text = String(data: data, encoding: .utf8) else {
      throw .notJSON(file: file, line: 1, column: 1, reason: "the text is not UTF-8")
    }
    let result = withUTF8(text) { utf8 -> Result<JSONNode, TokenizerError> in
      var reader = JSONReader(bytes: utf8)
      do throws(JSONReader.Failure) {
        return .success(try reader.document())
      } catch {
        let before = utf8[..<min(error.offset, utf8.count)]
        let line = before.count { $0 == 0x0A } + 1
        let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return .failure(.notJSON(file: file, line: line, column: column, reason: error.reason))
      }
    }
    self = try result.get()
  }

  /// The value of an object's member; `nil` for a missing member, `null`, and anything but an object.
  subscript(key: String) -> JSONNode? {
    guard case .object(let members) = self, let member = members.last(where: { $0.key == key }),
      member.value != .null
    else { return nil }
    return member.value
  }

  var string: String? {
    guard case .string(let string) = self else { return nil }
    return string
  }

  var integer: Int? {
    guard case .integer(let integer) = self else { return nil }
    return integer
  }

  var bool: Bool? {
    guard case .bool(let bool) = self else { return nil }
    return bool
  }

  var array: [JSONNode]? {
    guard case .array(let array) = self else { return nil }
    return array
  }

  /// What kind of value this is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

/// A recursive-descent reader over UTF-8 bytes.
private struct JSONReader {
  struct Failure: Error {
    var offset: Int
    var reason: String
  }

  static let deepest = 256

  let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var depth = 0

  init(bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  mutating func document() throws(Failure) -> JSONNode {
    let value = try value()
    skipSpace()
    guard position == bytes.count else { throw failure("something follows the value") }
    return value
  }

  private func failure(_ reason: String) -> Failure { Failure(offset: position, reason: reason) }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
    skipSpace()
    guard current == UInt8(ascii: character) else {
      throw failure(current == nil ? "the file ends too early" : "'\(character)' expected")
    }
    position += 1
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value() throws(Failure) -> JSONNode {
    skipSpace()
    switch current {
    case UInt8(ascii: "{"): return try nested { reader throws(Failure) in try reader.object() }
    case UInt8(ascii: "["): return try nested { reader throws(Failure) in try reader.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func nested(
    _ body: (inout JSONReader) throws(Failure) -> JSONNode
  ) throws(Failure) -> JSONNode {
    guard depth < Self.deepest else { throw failure("nested deeper than \(Self.deepest) levels") }
    depth += 1
    position += 1
    let node = try body(&self)
    depth -= 1
    return node
  }

  private mutating func object() throws(Failure) -> JSONNode {
    var members: [JSONNode.Member] = []
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw failure("a key in quotes expected") }
      let key = try string()
      try expect(":")
      members.append(JSONNode.Member(key: key, value: try value()))
    } while take(",")
    try expect("}")
    return .object(members)
  }

  private mutating func array() throws(Failure) -> JSONNode {
    var elements: [JSONNode] = []
    if take("]") { return .array(elements) }
    repeat { elements.append(try value()) } while take(",")
    try expect("]")
    return .array(elements)
  }

  private mutating func word(_ spelling: StaticString, _ node: JSONNode) throws(Failure) -> JSONNode {
    let count = spelling.utf8CodeUnitCount
    guard position + count <= bytes.count,
      (0..<count).allSatisfy({ bytes[position + $0] == spelling.utf8Start[$0] })
    else { throw failure("a value expected") }
    position += count
    return node
  }

  private mutating func number() throws(Failure) -> JSONNode {
    let start = position
    var isInteger = true
    while let byte = current {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
      case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"): isInteger = false
      default:
        guard position > start else { throw failure("a value expected") }
        return try number(in: start..<position, isInteger)
      }
      position += 1
    }
    guard position > start else { throw failure("the file ends too early") }
    return try number(in: start..<position, isInteger)
  }

  private func number(in range: Range<Int>, _ isInteger: Bool) throws(Failure) -> JSONNode {
    let text = String(decoding: bytes[range], as: UTF8.self)
    if isInteger, let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else {
      throw Failure(offset: range.lowerBound, reason: "'\(text)' is not a number")
    }
    return .number(number)
  }

  private mutating func string() throws(Failure) -> String {
    position += 1
    let start = position
    while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
      position += 1
    }
    var text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return text
      case UInt8(ascii: "\\"): text.unicodeScalars.append(try escape())
      case 0..<0x20:
        position -= 1
        throw failure("a control character stands unescaped in a string")
      default:
        let start = position - 1
        while let next = current, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\"), next >= 0x20 {
          position += 1
        }
        text += String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
      }
    }
    throw failure("a string has no end")
  }

  private mutating func escape() throws(Failure) -> Unicode.Scalar {
    guard let byte = current else { throw failure("a string has no end") }
    position += 1
    switch byte {
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "b"): return "\u{08}"
    case UInt8(ascii: "f"): return "\u{0C}"
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "u"):
      let high = try hexadecimal()
      if let scalar = Unicode.Scalar(high) { return scalar }
      guard high < 0xDC00, current == UInt8(ascii: "\\"), position + 1 < bytes.count,
        bytes[position + 1] == UInt8(ascii: "u")
      else { throw failure("half a surrogate pair") }
      position += 2
      let low = try hexadecimal()
      guard (0xDC00...0xDFFF).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
      else { throw failure("half a surrogate pair") }
      return scalar
    default: throw failure("unknown escape")
    }
  }

  private mutating func hexadecimal() throws(Failure) -> UInt32 {
    guard position + 4 <= bytes.count,
      let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16),
      bytes[position] != UInt8(ascii: "+")
    else { throw failure("four hexadecimal digits expected") }
    position += 4
    return value
  }
}
