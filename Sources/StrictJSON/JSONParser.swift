/// A JSON syntax error and its position.
package struct JSONSyntaxError: Error, Equatable {
  /// The byte offset, from 0.
  package let offset: Int
  /// What is wrong there.
  package let reason: String

  /// The line and the column (in bytes), both from 1.
  package func position(in bytes: UnsafeRawBufferPointer) -> (line: Int, column: Int) {
    let before = bytes[..<min(offset, bytes.count)]
    let line = before.count { $0 == 0x0A } + 1
    return (line, before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1)
  }
}

/// A strict JSON parser (RFC 8259) for one value in UTF-8. It refuses comments, trailing commas, duplicate
/// keys, unpaired surrogates and anything after the value.
///
/// On Linux, Foundation's parser takes most of a second for a tokenizer.json that this one parses in
/// milliseconds. It also loses the order of members, silently drops duplicate keys, and on some platforms
/// cannot distinguish `true` from 1.
package struct JSONParser {
  /// The maximum nesting depth of objects and arrays.
  package static let maximumDepth = 128

  private let bytes: UnsafeRawBufferPointer
  private var offset = 0
  private var depth = 0

  /// Parses `bytes` as one value.
  package static func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) -> JSONValue {
    var parser = JSONParser(bytes: bytes)
    parser.skipSpace()
    let value = try parser.value()
    parser.skipSpace()
    if parser.offset < bytes.count { throw parser.error("unexpected text after the value") }
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
    var members: [JSONValue.Member] = []
    var keys = ExactKeys()
    skipSpace()
    if try close(UInt8(ascii: "}"), first: true) { return .object([]) }
    repeat {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw error("expected a key in double quotes") }
      let key = try string()
      guard keys.insert(key, after: members) else { throw error("the key \"\(key)\" is repeated") }
      skipSpace()
      guard current == UInt8(ascii: ":") else { throw error("a colon is missing") }
      offset += 1
      skipSpace()
      members.append(JSONValue.Member(key: key, value: try value()))
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
    if depth > Self.maximumDepth { throw error("nested deeper than \(Self.maximumDepth) levels") }
  }

  /// Consumes the closing bracket (returns `true`) or a comma between elements (returns `false`).
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
    else { throw error("an unpaired surrogate in a string") }
    offset += 2
    let low = try hexadecimal()
    guard (0xDC00...0xDFFF).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
    else { throw error("an unpaired surrogate in a string") }
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

/// The keys of an object, compared byte by byte. Swift's string equality treats composed and decomposed
/// letters as equal, but a vocabulary may have both as separate keys.
private struct ExactKeys {
  private var set: Set<[UInt8]> = []

  /// Adds the key that comes after `members`; returns `false` if one of them already has it.
  mutating func insert(_ key: String, after members: [JSONValue.Member]) -> Bool {
    // Most objects have only a few keys, where a linear search is faster than a set.
    guard members.count >= 16 else {
      return !members.contains { $0.key.utf8.elementsEqual(key.utf8) }
    }
    if set.isEmpty { set = Set(members.map { Array($0.key.utf8) }) }
    return set.insert(Array(key.utf8)).inserted
  }
}
