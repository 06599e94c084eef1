/// A JSON value (RFC 8259). Objects keep their order, and integers are distinct from other numbers.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number without fraction or exponent that fits into `Int`.
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// A key and its value.
  package struct Member: Sendable, Equatable {
    package let key: String
    package let value: JSONValue

    package init(key: String, value: JSONValue) {
      (self.key, self.value) = (key, value)
    }
  }

  /// The name of this kind of value, for messages.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }

  /// An object with its keys sorted by their Unicode scalars.
  package static func sorted(_ members: [String: JSONValue]) -> JSONValue {
    .object(
      members.map { Member(key: $0.key, value: $0.value) }.sorted {
        $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
      })
  }

  /// The value of a key in an object; `nil` for other types, missing keys and `null`.
  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self, let member = members.first(where: { $0.key == key }),
      member.value != .null
    else { return nil }
    return member.value
  }

  package var string: String? {
    guard case .string(let value) = self else { return nil }
    return value
  }

  package var integer: Int? {
    switch self {
    case .integer(let value): return value
    case .number(let value): return Int(exactly: value)
    default: return nil
    }
  }

  package var number: Double? {
    switch self {
    case .integer(let value): return Double(value)
    case .number(let value): return value
    default: return nil
    }
  }

  package var bool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  package var array: [JSONValue]? {
    guard case .array(let value) = self else { return nil }
    return value
  }

  package var members: [Member]? {
    guard case .object(let value) = self else { return nil }
    return value
  }

  /// The value as JSON. With `indent`, each member is on its own line, indented by `indent` spaces per level.
  package func encoded(indent: Int? = nil) -> String {
    var text = ""
    encode(into: &text, indent: indent, level: 0)
    return text
  }

  private func encode(into text: inout String, indent: Int?, level: Int) {
    func line(_ level: Int) {
      guard let indent else { return }
      text += "\n" + String(repeating: " ", count: indent * level)
    }
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value):
      precondition(value.isFinite, "JSON has no infinities")
      text += "\(value)"
    case .string(let value): Self.encode(value, into: &text)
    case .array(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += "," }
        line(level + 1)
        element.encode(into: &text, indent: indent, level: level + 1)
      }
      if !elements.isEmpty { line(level) }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { text += "," }
        line(level + 1)
        Self.encode(member.key, into: &text)
        text += indent == nil ? ":" : ": "
        member.value.encode(into: &text, indent: indent, level: level + 1)
      }
      if !members.isEmpty { line(level) }
      text += "}"
    }
  }

  private static func encode(_ string: String, into text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
