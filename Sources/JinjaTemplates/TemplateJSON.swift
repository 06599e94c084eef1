/// JSON in the format of Python's `json.dumps(value, ensure_ascii=False)`, for the filter `tojson`.
struct TemplateJSON {
  /// Spaces per level; `nil` writes everything on one line.
  var indent: Int?
  var itemSeparator: String
  var keySeparator: String
  var sortsKeys = false

  func text(_ value: RuntimeValue, depth: Int = 0) throws(TemplateFailure) -> String {
    switch value {
    case .none: return "null"
    case .boolean(let boolean): return boolean ? "true" : "false"
    case .integer, .double: return number(value)
    case .string(let string): return Self.quoted(string)
    case .list(let elements), .tuple(let elements):
      var items: [String] = []
      for element in elements { items.append(try text(element, depth: depth + 1)) }
      return enclosed(items, "[", "]", depth)
    case .mapping(let mapping):
      var entries = mapping.entries
      if sortsKeys { entries.sort { $0.key.text.utf8.lexicographicallyPrecedes($1.key.text.utf8) } }
      var items: [String] = []
      for entry in entries {
        let key: String
        switch entry.key {
        case .string(let string): key = string
        case .none, .boolean, .integer, .double: key = try text(entry.key)
        default: throw TemplateFailure("\(entry.key.kind) cannot be a key in JSON")
        }
        items.append(Self.quoted(key) + keySeparator + (try text(entry.value, depth: depth + 1)))
      }
      return enclosed(items, "{", "}", depth)
    default: throw TemplateFailure("\(value.kind) cannot be written as JSON")
    }
  }

  private func number(_ value: RuntimeValue) -> String {
    guard case .double(let double) = value, !double.isFinite else { return value.representation }
    return double.isNaN ? "NaN" : double < 0 ? "-Infinity" : "Infinity"
  }

  private func enclosed(_ items: [String], _ open: String, _ close: String, _ depth: Int) -> String {
    guard !items.isEmpty else { return open + close }
    guard let indent else { return open + items.joined(separator: itemSeparator) + close }
    let inner = "\n" + String(repeating: " ", count: indent * (depth + 1))
    let outer = "\n" + String(repeating: " ", count: indent * depth)
    return open + inner + items.joined(separator: itemSeparator + inner) + outer + close
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{08}": result += "\\b"
      case "\u{0C}": result += "\\f"
      case "\u{00}"..."\u{1F}":
        let hexadecimal = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
