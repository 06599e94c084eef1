/// A strict JSON reader over bytes that may come from anywhere: depth, UTF-8 and number ranges are checked.
package struct JSONParser {
  /// Objects and arrays are read to this depth.
  static let deepest = 64

  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var offset = 0

  /// Reads one value that fills `bytes` but for white space around it.
  ///
  /// Throws `CheckpointError` with the offset where the text is no JSON.
  package static func parse(_ bytes: UnsafeRawBufferPointer, path: String) throws -> JSONValue {
    var parser = JSONParser(bytes: bytes, path: path)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.offset == bytes.count else { throw parser.failure("text after the end of the value") }
    return value
  }

  /// Reads a file that is one JSON value; the mapping lives until the value is made.
  package static func parse(_ file: MappedFile) throws -> JSONValue {
    try file.withBytes { try parse($0, path: file.path) }
  }

  private init(bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  private func failure(_ problem: String) -> CheckpointError {
    CheckpointError(
      .malformed, file: path, field: "JSON at byte \(offset)", problem: problem,
      remedy: "the file is damaged or was edited wrongly: correct it or fetch it again")
  }

  private func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
  }

  private mutating func expect(_ text: StaticString) throws {
    for index in 0..<text.utf8CodeUnitCount {
      guard peek() == text.utf8Start[index] else { throw failure("expected \(text)") }
      offset += 1
    }
  }

  private mutating func value(depth: Int) throws -> JSONValue {
    guard depth < Self.deepest else { throw failure("nested deeper than \(Self.deepest)") }
    skipSpace()
    switch peek() {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"):
      try expect("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try expect("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try expect("null")
      return .null
    case nil: throw failure("the text ends where a value should stand")
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws -> JSONValue {
    try expect("{")
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    skipSpace()
    if peek() == UInt8(ascii: "}") {
      offset += 1
      return .object([])
    }
    while true {
      skipSpace()
      let key = try string()
      guard keys.insert(key).inserted else { throw failure("the key \"\(key)\" stands twice") }
      skipSpace()
      try expect(":")
      members.append(JSONValue.Member(key: key, value: try value(depth: depth + 1)))
      if try closes(UInt8(ascii: "}")) { return .object(members) }
    }
  }

  private mutating func array(depth: Int) throws -> JSONValue {
    try expect("[")
    var elements: [JSONValue] = []
    skipSpace()
    if peek() == UInt8(ascii: "]") {
      offset += 1
      return .array([])
    }
    while true {
      elements.append(try value(depth: depth + 1))
      if try closes(UInt8(ascii: "]")) { return .array(elements) }
    }
  }

  /// After a member: passes a comma (false) or the closing bracket (true).
  private mutating func closes(_ bracket: UInt8) throws -> Bool {
    skipSpace()
    let byte = peek()
    guard byte == bracket || byte == UInt8(ascii: ",") else {
      throw failure("expected a comma or a closing bracket")
    }
    offset += 1
    return byte == bracket
  }

  private mutating func number() throws -> JSONValue {
    let start = offset
    while let byte = peek(), Self.isNumberByte(byte) { offset += 1 }
    let slice = UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    let text = String(decoding: slice, as: UTF8.self)
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }
    guard let first = digits.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
      offset = start
      throw failure("expected a value")
    }
    if let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else { throw failure("\(text.prefix(40)) is no number") }
    return .number(number)
  }

  private static func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return true
    case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
      return true
    default: return false
    }
  }

  private mutating func string() throws -> String {
    guard peek() == UInt8(ascii: "\"") else { throw failure("expected a string") }
    offset += 1
    var text: [UInt8] = []
    var start = offset
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "\""):
        text += bytes[start..<offset]
        guard let result = String(validating: text, as: UTF8.self) else {
          throw failure("a string is not UTF-8")
        }
        offset += 1
        return result
      case UInt8(ascii: "\\"):
        text += bytes[start..<offset]
        offset += 1
        try escape(into: &text)
        start = offset
      case 0..<0x20: throw failure("a control character stands unescaped in a string")
      default: offset += 1
      }
    }
    throw failure("a string has no end")
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    guard let byte = peek() else { throw failure("a string has no end") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xd800..<0xdc00).contains(code) {
        try expect("\\u")
        let low = try hexadecimal()
        guard (0xdc00..<0xe000).contains(low) else { throw failure("half of a surrogate pair") }
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair") }
      text += String(Character(scalar)).utf8
    default: throw failure("unknown escape")
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      offset += 1
    }
    return code
  }
}
