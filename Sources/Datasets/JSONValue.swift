/// A JSON value as it stands in a file, with whole numbers apart from others and the order of keys kept.
enum JSONValue: Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  static func == (left: JSONValue, right: JSONValue) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let first), .bool(let second)): first == second
    case (.integer(let first), .integer(let second)): first == second
    case (.number(let first), .number(let second)): first == second
    case (.string(let first), .string(let second)): first == second
    case (.array(let first), .array(let second)): first == second
    case (.object(let first), .object(let second)):
      first.count == second.count
        && zip(first, second).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }

  /// What to call this kind of value in a message.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

/// Why a text is not JSON, and at which byte (from 0).
struct JSONSyntaxError: Error, Equatable {
  let offset: Int
  let reason: String
}

/// Reads one JSON value from UTF-8 bytes (RFC 8259), strictly: no comments, no trailing commas, no repeated
/// keys, no unpaired surrogates, nothing after the value. Made for lines of JSONL, where Foundation's reader
/// would cost most of the time and cannot tell `true` from 1 on every platform.
struct JSONParser {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0
  private var depth = 0
  private static let deepest = 64

  /// The value that `bytes` hold.
  static func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) -> JSONValue {
    var parser = JSONParser(bytes: bytes)
    parser.skipSpace()
    let value = try parser.value()
    parser.skipSpace()
    if parser.offset < bytes.count { throw parser.error("more text after the value") }
    return value
  }

  private init(bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  private func error(_ reason: String) -> JSONSyntaxError {
    JSONSyntaxError(offset: offset, reason: reason)
  }

  private var current: UInt8? {
    offset < bytes.count ? bytes[offset] : nil
  }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { offset += 1 }
  }

  private mutating func value() throws(JSONSyntaxError) -> JSONValue {
    guard let byte = current else { throw error("the text ends where a value should be") }
    switch byte {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw error("a value cannot start here")
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
    let end = offset + word.utf8CodeUnitCount
    guard end <= bytes.count else { throw error("a value cannot start here") }
    for index in 0..<word.utf8CodeUnitCount where bytes[offset + index] != word.utf8Start[index] {
      throw error("a value cannot start here")
    }
    offset = end
    return value
  }

  private mutating func object() throws(JSONSyntaxError) -> JSONValue {
    try enter()
    var members: [(key: String, value: JSONValue)] = []
    skipSpace()
    if try close(UInt8(ascii: "}"), first: true) { return .object([]) }
    repeat {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw error("a key in double quotes is missing") }
      let key = try string()
      if members.contains(where: { $0.key == key }) { throw error("the key \"\(key)\" is repeated") }
      skipSpace()
      guard current == UInt8(ascii: ":") else { throw error("a colon is missing") }
      offset += 1
      skipSpace()
      members.append((key, try value()))
      skipSpace()
    } while try !close(UInt8(ascii: "}"), first: false)
    return .object(members)
  }

  private mutating func array() throws(JSONSyntaxError) -> JSONValue {
    try enter()
    var elements: [JSONValue] = []
    skipSpace()
    if try close(UInt8(ascii: "]"), first: true) { return .array([]) }
    repeat {
      skipSpace()
      elements.append(try value())
      skipSpace()
    } while try !close(UInt8(ascii: "]"), first: false)
    return .array(elements)
  }

  private mutating func enter() throws(JSONSyntaxError) {
    offset += 1
    depth += 1
    if depth > Self.deepest { throw error("more than \(Self.deepest) values lie within one another") }
  }

  /// Steps over the closing bracket (`true`) or, between elements, over a comma (`false`).
  private mutating func close(_ bracket: UInt8, first: Bool) throws(JSONSyntaxError) -> Bool {
    guard let byte = current else { throw error("the text ends inside a list or an object") }
    if byte == bracket {
      offset += 1
      depth -= 1
      return true
    }
    if first { return false }
    guard byte == UInt8(ascii: ",") else { throw error("a comma or a closing bracket is missing") }
    offset += 1
    return false
  }

  private mutating func number() throws(JSONSyntaxError) -> JSONValue {
    let start = offset
    var isWhole = true
    if current == UInt8(ascii: "-") { offset += 1 }
    let leadingZero = current == UInt8(ascii: "0")
    let whole = try digits()
    if leadingZero && whole > 1 { throw error("a number must not start with 0") }
    if current == UInt8(ascii: ".") {
      isWhole = false
      offset += 1
      _ = try digits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isWhole = false
      offset += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
      _ = try digits()
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if isWhole, let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else { throw error("the number is too large") }
    return .number(number)
  }

  private mutating func digits() throws(JSONSyntaxError) -> Int {
    let start = offset
    while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { offset += 1 }
    if offset == start { throw error("a digit is missing") }
    return offset - start
  }

  private mutating func string() throws(JSONSyntaxError) -> String {
    offset += 1
    let start = offset
    while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
      offset += 1
    }
    if current == UInt8(ascii: "\"") {
      let text = try text(start..<offset)
      offset += 1
      return text
    }
    return try stringWithEscapes(text(start..<offset))
  }

  private mutating func stringWithEscapes(_ head: String) throws(JSONSyntaxError) -> String {
    var result = head
    while let byte = current {
      if byte < 0x20 { throw error("a control character inside a string must be escaped") }
      if byte == UInt8(ascii: "\"") {
        offset += 1
        return result
      }
      if byte == UInt8(ascii: "\\") {
        offset += 1
        result.unicodeScalars.append(try escape())
      } else {
        let start = offset
        while let plain = current, plain != UInt8(ascii: "\""), plain != UInt8(ascii: "\\"), plain >= 0x20 {
          offset += 1
        }
        result += try text(start..<offset)
      }
    }
    throw error("the text ends inside a string")
  }

  private func text(_ range: Range<Int>) throws(JSONSyntaxError) -> String {
    guard let text = String(validating: bytes[range], as: UTF8.self) else {
      throw JSONSyntaxError(offset: range.lowerBound, reason: "a string is not valid UTF-8")
    }
    return text
  }

  private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
    guard let byte = current else { throw error("the text ends inside a string") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw error("an unknown escape in a string")
    }
    let unit = try hexadecimal()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    guard unit < 0xDC00, offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
      bytes[offset + 1] == UInt8(ascii: "u")
    else { throw error("half of a surrogate pair in a string") }
    offset += 2
    let low = try hexadecimal()
    guard (0xDC00...0xDFFF).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
    else { throw error("half of a surrogate pair in a string") }
    return scalar
  }

  private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw error("the text ends inside a string") }
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[offset])).hexDigitValue, bytes[offset] < 0x80 else {
        throw error("four hexadecimal digits must follow \\u")
      }
      unit = unit << 4 | UInt32(digit)
      offset += 1
    }
    return unit
  }
}
