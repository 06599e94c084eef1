/// A piece of a template's source.
enum TemplateSegment {
  case text(String)
  /// `{{ … }}`.
  case expression([TemplateToken], line: Int)
  /// `{% … %}`.
  case statement([TemplateToken], line: Int)
}

/// A token inside `{{ }}` or `{% %}`.
struct TemplateToken: Equatable {
  enum Kind: Equatable {
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
  }

  var kind: Kind
  var line: Int
}

/// Splits a template into text, expressions and statements, and removes the white space that Jinja removes:
///
/// - next to a `-` sign;
/// - the line ending after a statement or comment (`trim_blocks`);
/// - the indentation before a statement or comment that comes first on its line (`lstrip_blocks`);
/// - one line ending at the end of the template.
///
/// It takes time in proportion to the source.
struct TemplateLexer {
  /// The longest name, in bytes: every use of a name reads it.
  static let longestName = 128

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  /// Whether the text from `position` on begins a line, for `lstrip_blocks`.
  private var isLineStart = true
  private var segments: [TemplateSegment] = []

  static func segments(of source: String) throws(TemplateError) -> [TemplateSegment] {
    var lexer = TemplateLexer(source)
    try lexer.run()
    return lexer.segments
  }

  private init(_ source: String) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(source.utf8.count)
    var isAfterReturn = false
    for byte in source.utf8 {
      if !(byte == 0x0A && isAfterReturn) { bytes.append(byte == 0x0D ? 0x0A : byte) }
      isAfterReturn = byte == 0x0D
    }
    if bytes.last == 0x0A { bytes.removeLast() }
    self.bytes = bytes
  }

  private mutating func run() throws(TemplateError) {
    while let opener = nextOpener() {
      let kind = bytes[opener + 1]
      let sign = opener + 2 < bytes.count ? bytes[opener + 2] : 0
      let hasSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
      emitText(upTo: opener, sign: sign, isExpression: kind == UInt8(ascii: "{"))
      advance(to: opener + (hasSign ? 3 : 2))
      let start = line
      switch kind {
      case UInt8(ascii: "#"):
        guard let end = find("#}", from: position) else {
          throw .syntax(line: start, reason: "a comment is not closed")
        }
        advance(to: end)
        let last = end > 0 ? bytes[end - 1] : 0
        close(sign: last == UInt8(ascii: "-") || last == UInt8(ascii: "+") ? last : 0, trims: true)
      case UInt8(ascii: "{"):
        let tokens = try tokens(until: "}}", opened: start)
        segments.append(.expression(tokens, line: start))
      default:
        let tokens = try tokens(until: "%}", opened: start)
        if tokens.map(\.kind) == [.name("raw")] {
          try raw(opened: start)
        } else {
          segments.append(.statement(tokens, line: start))
        }
      }
    }
    emitText(upTo: bytes.count, sign: 0, isExpression: true)
  }

  /// The position of the next `{{`, `{%` or `{#`.
  private func nextOpener() -> Int? {
    var i = position
    while i + 1 < bytes.count {
      if bytes[i] == UInt8(ascii: "{"),
        bytes[i + 1] == UInt8(ascii: "{") || bytes[i + 1] == UInt8(ascii: "%")
          || bytes[i + 1] == UInt8(ascii: "#")
      {
        return i
      }
      i += 1
    }
    return nil
  }

  private func find(_ text: StaticString, from start: Int) -> Int? {
    var i = start
    while i + 1 < bytes.count {
      if bytes[i] == text.utf8Start[0], bytes[i + 1] == text.utf8Start[1] { return i }
      i += 1
    }
    return nil
  }

  private mutating func advance(to end: Int) {
    for byte in bytes[position..<end] where byte == 0x0A { line += 1 }
    position = end
  }

  private mutating func emitText(upTo end: Int, sign: UInt8, isExpression: Bool) {
    var text = String(decoding: bytes[position..<end], as: UTF8.self)
    if sign == UInt8(ascii: "-") {
      text = PythonText.strip(text, left: false)
    } else if sign != UInt8(ascii: "+"), !isExpression {
      let lineEnd = text.utf8.lastIndex(of: 0x0A)
      let start = lineEnd.map { text.utf8.index(after: $0) } ?? text.startIndex
      if lineEnd != nil || isLineStart, text.unicodeScalars[start...].allSatisfy(PythonText.isSpace) {
        text = String(text.unicodeScalars[..<start])
      }
    }
    advance(to: end)
    if !text.isEmpty { segments.append(.text(text)) }
  }

  /// Consumes the two-byte closer at `position` and the white space that must be removed after it.
  private mutating func close(sign: UInt8, trims: Bool) {
    var end = position + 2
    if sign == UInt8(ascii: "-") {
      end = self.end(ofSpaceAt: end)
    } else if sign != UInt8(ascii: "+"), trims, end < bytes.count, bytes[end] == 0x0A {
      end += 1
    }
    advance(to: end)
    isLineStart = bytes[end - 1] == 0x0A
  }

  /// The end of the white space that starts at a position.
  private func end(ofSpaceAt start: Int) -> Int {
    var end = start
    while end < bytes.count {
      // A scalar has at most 4 bytes.
      let next = String(decoding: bytes[end..<min(end + 4, bytes.count)], as: UTF8.self).unicodeScalars.first
      guard let next, PythonText.isSpace(next) else { break }
      end += String(next).utf8.count
    }
    return end
  }

  /// The text up to `{% endraw %}`, unchanged.
  private mutating func raw(opened: Int) throws(TemplateError) {
    // The line ending after `{% raw %}` is kept, unlike after other statements.
    if bytes[position - 1] == 0x0A, bytes[position - 2] == UInt8(ascii: "}"),
      bytes[position - 4] != UInt8(ascii: "-")
    {
      position -= 1
      line -= 1
      isLineStart = false
    }
    var search = position
    while let opener = find("{%", from: search) {
      search = opener + 2
      guard let end = endraw(opener) else { continue }
      emitText(upTo: opener, sign: bytes[opener + 2], isExpression: false)
      advance(to: end.closer)
      close(sign: end.sign, trims: true)
      return
    }
    throw .syntax(line: opened, reason: "'raw' has no 'endraw'")
  }

  /// The closer of the tag at `opener` and the sign before it, if the tag is `{% endraw %}`.
  private func endraw(_ opener: Int) -> (closer: Int, sign: UInt8)? {
    func isSign(_ place: Int) -> Bool {
      place < bytes.count && (bytes[place] == UInt8(ascii: "-") || bytes[place] == UInt8(ascii: "+"))
    }
    let word = Array("endraw".utf8)
    let start = end(ofSpaceAt: opener + (isSign(opener + 2) ? 3 : 2))
    guard bytes[min(start, bytes.count)...].starts(with: word) else { return nil }
    var closer = end(ofSpaceAt: start + word.count)
    let sign = isSign(closer) ? bytes[closer] : 0
    if sign != 0 { closer += 1 }
    guard bytes[min(closer, bytes.count)...].starts(with: "%}".utf8) else { return nil }
    return (closer, sign)
  }

  /// The tokens up to a closer outside brackets. Consumes the closer.
  private mutating func tokens(
    until closer: StaticString, opened: Int
  ) throws(TemplateError) -> [TemplateToken] {
    var tokens: [TemplateToken] = []
    var brackets: [UInt8] = []
    while true {
      while position < bytes.count, PythonText.isSpace(Unicode.Scalar(bytes[position])) {
        advance(to: position + 1)
      }
      guard position < bytes.count else {
        throw .syntax(line: opened, reason: "a tag opened here is not closed by '\(closer)'")
      }
      let byte = bytes[position]
      if brackets.isEmpty {
        let isSign = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
        let place = isSign ? position + 1 : position
        if place + 1 < bytes.count, bytes[place] == closer.utf8Start[0],
          bytes[place + 1] == closer.utf8Start[1]
        {
          position = place
          close(sign: isSign ? byte : 0, trims: closer.utf8Start[0] == UInt8(ascii: "%"))
          return tokens
        }
      }
      let start = line
      let kind = try token()
      switch kind {
      case .symbol("("): brackets.append(UInt8(ascii: ")"))
      case .symbol("["): brackets.append(UInt8(ascii: "]"))
      case .symbol("{"): brackets.append(UInt8(ascii: "}"))
      case .symbol(")"), .symbol("]"), .symbol("}"):
        guard brackets.popLast() == byte else {
          throw .syntax(line: start, reason: "'\(Unicode.Scalar(byte))' does not match an opening bracket")
        }
      default: break
      }
      tokens.append(TemplateToken(kind: kind, line: start))
    }
  }

  private mutating func token() throws(TemplateError) -> TemplateToken.Kind {
    let byte = bytes[position]
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return .string(try string(quote: byte))
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      0x80...:
      let name = take(while: Self.isNameByte)
      guard name.utf8.count <= Self.longestName else {
        throw .syntax(
          line: line,
          reason: "a name of \(name.utf8.count) bytes is too long; use one of at most \(Self.longestName)")
      }
      return .name(name)
    default: break
    }
    let symbols = ["**", "//", "==", "!=", "<=", ">="]
    if position + 1 < bytes.count {
      let pair = String(decoding: bytes[position...position + 1], as: UTF8.self)
      if symbols.contains(pair) {
        position += 2
        return .symbol(pair)
      }
    }
    let symbol = String(Unicode.Scalar(byte))
    guard "+-*/%~[](){}<>=.:|,;".contains(symbol) else {
      throw .syntax(line: line, reason: "unexpected character '\(symbol)'")
    }
    position += 1
    return .symbol(symbol)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      0x80...,
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  private mutating func take(while condition: (UInt8) -> Bool) -> String {
    let start = position
    while position < bytes.count, condition(bytes[position]) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func number() throws(TemplateError) -> TemplateToken.Kind {
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    var text = take { isDigit($0) || $0 == UInt8(ascii: "_") }
    var isWhole = true
    if position + 1 < bytes.count, bytes[position] == UInt8(ascii: "."), isDigit(bytes[position + 1]) {
      isWhole = false
      position += 1
      text += "." + take { isDigit($0) || $0 == UInt8(ascii: "_") }
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      var end = position + 1
      if end < bytes.count, bytes[end] == UInt8(ascii: "-") || bytes[end] == UInt8(ascii: "+") { end += 1 }
      if end < bytes.count, isDigit(bytes[end]) {
        isWhole = false
        text += String(decoding: bytes[position..<end], as: UTF8.self)
        position = end
        text += take { isDigit($0) }
      }
    }
    text.removeAll { $0 == "_" }
    if isWhole, let integer = Int(text) { return .integer(integer) }
    if !isWhole, let number = Double(text) { return .number(number) }
    throw .syntax(line: line, reason: "'\(text)' is too large")
  }

  private mutating func string(quote: UInt8) throws(TemplateError) -> String {
    let opened = line
    position += 1
    var text: [UInt8] = []
    while position < bytes.count, bytes[position] != quote {
      let byte = bytes[position]
      advance(to: position + 1)
      guard byte == UInt8(ascii: "\\"), position < bytes.count else {
        text.append(byte)
        continue
      }
      let escaped = bytes[position]
      advance(to: position + 1)
      switch escaped {
      case UInt8(ascii: "n"): text.append(0x0A)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "r"): text.append(0x0D)
      case UInt8(ascii: "a"): text.append(0x07)
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0C)
      case UInt8(ascii: "v"): text.append(0x0B)
      case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): text.append(escaped)
      case 0x0A: break
      case UInt8(ascii: "x"): text += try scalar(digits: 2)
      case UInt8(ascii: "u"): text += try scalar(digits: 4)
      case UInt8(ascii: "U"): text += try scalar(digits: 8)
      case UInt8(ascii: "0")...UInt8(ascii: "7"):
        var value = UInt32(escaped - 0x30)
        for _ in 0..<2 where position < bytes.count && (0x30...0x37).contains(bytes[position]) {
          value = value * 8 + UInt32(bytes[position] - 0x30)
          position += 1
        }
        if let scalar = Unicode.Scalar(value) { text += Array(String(scalar).utf8) }
      default: text += [UInt8(ascii: "\\"), escaped]
      }
    }
    guard position < bytes.count else { throw .syntax(line: opened, reason: "a string is not closed") }
    position += 1
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func scalar(digits: Int) throws(TemplateError) -> [UInt8] {
    guard position + digits <= bytes.count,
      let value = UInt32(String(decoding: bytes[position..<position + digits], as: UTF8.self), radix: 16),
      let scalar = Unicode.Scalar(value)
    else { throw .syntax(line: line, reason: "an escape needs \(digits) hexadecimal digits of a scalar") }
    position += digits
    return Array(String(scalar).utf8)
  }
}
