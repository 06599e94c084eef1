/// JSON in the format of Python's `json.dumps(value, ensure_ascii=False)`, for the filter `tojson`.
struct TemplateJSON {
  let budget: TemplateBudget
  /// Spaces per level; `nil` writes everything on one line.
  var indent: Int?
  var itemSeparator: String
  var keySeparator: String
  var sortsKeys = false

  func text(_ value: RuntimeValue) throws(TemplateFailure) -> String {
    var text = ""
    try write(value, 0, to: &text)
    return text
  }

  private func write(_ value: RuntimeValue, _ depth: Int, to text: inout String) throws(TemplateFailure) {
    try budget.charge(TemplateBudget.bytesPerElement)
    switch value {
    case .none: text += "null"
    case .boolean(let boolean): text += boolean ? "true" : "false"
    case .integer, .double: text += number(value)
    case .string(let string): try write(string, to: &text)
    case .list(let elements), .tuple(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        try separate(index, depth + 1, &text)
        try write(element, depth + 1, to: &text)
      }
      if !elements.isEmpty { try breakLine(depth, &text) }
      text += "]"
    case .mapping(let mapping):
      text += "{"
      for (index, entry) in try ordered(mapping).enumerated() {
        try separate(index, depth + 1, &text)
        try write(try key(entry.key), to: &text)
        try budget.charge(keySeparator.utf8.count)
        text += keySeparator
        try write(entry.value, depth + 1, to: &text)
      }
      if !mapping.entries.isEmpty { try breakLine(depth, &text) }
      text += "}"
    default: throw TemplateFailure("\(value.kind) cannot be written as JSON")
    }
  }

  private func ordered(_ mapping: RuntimeValue.Mapping) throws(TemplateFailure) -> [RuntimeValue.Mapping
    .Entry]
  {
    guard sortsKeys else { return mapping.entries }
    var keyed: [(key: String, entry: RuntimeValue.Mapping.Entry)] = []
    for entry in mapping.entries {
      let key = try budget.text(entry.key)
      // Sorting reads each key about as often as its position has binary digits.
      try budget.charge(key.utf8.count, times: Int.bitWidth - mapping.entries.count.leadingZeroBitCount)
      keyed.append((key, entry))
    }
    return keyed.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.entry)
  }

  private func key(_ key: RuntimeValue) throws(TemplateFailure) -> String {
    switch key {
    case .string(let string): return string
    case .none: return "null"
    case .boolean(let boolean): return boolean ? "true" : "false"
    case .integer, .double: return number(key)
    default: throw TemplateFailure("\(key.kind) cannot be a key in JSON")
    }
  }

  private func number(_ value: RuntimeValue) -> String {
    guard case .double(let double) = value, !double.isFinite else { return value.scalarRepresentation }
    return double.isNaN ? "NaN" : double < 0 ? "-Infinity" : "Infinity"
  }

  private func separate(_ index: Int, _ depth: Int, _ text: inout String) throws(TemplateFailure) {
    if index > 0 {
      try budget.charge(itemSeparator.utf8.count)
      text += itemSeparator
    }
    try breakLine(depth, &text)
  }

  private func breakLine(_ depth: Int, _ text: inout String) throws(TemplateFailure) {
    guard let indent else { return }
    try budget.charge(1 + indent * depth)
    text += "\n" + String(repeating: " ", count: indent * depth)
  }

  private func write(_ string: String, to text: inout String) throws(TemplateFailure) {
    try budget.charge(string.utf8.count)
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{08}": text += "\\b"
      case "\u{0C}": text += "\\f"
      case "\u{00}"..."\u{1F}":
        let hexadecimal = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
