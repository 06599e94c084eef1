import Foundation

extension TemplateInterpreter {
  /// `value | name(arguments)`.
  func filter(
    _ value: RuntimeValue, _ name: String, _ arguments: RuntimeArguments
  ) throws(TemplateFailure) -> RuntimeValue {
    try budget.step()
    if name == "default" || name == "d" {
      try budget.chargeCount(of: arguments)
      let isMissing = value.isUndefined || (arguments.flag(1, "boolean") && !value.isTrue)
      return isMissing ? arguments.value(0, "default_value") ?? .string("") : value
    }
    try budget.charge(value)
    try budget.charge(arguments)
    let result = try filtered(value, name, arguments)
    try budget.charge(result)
    return result
  }

  private func filtered(
    _ value: RuntimeValue, _ name: String, _ arguments: RuntimeArguments
  ) throws(TemplateFailure) -> RuntimeValue {
    func text() throws(TemplateFailure) -> String { try budget.text(value) }
    switch name {
    case "trim":
      return .string(TemplateMethods.strip(try text(), try arguments.string(0, "chars"), "strip"))
    case "upper": return .string(PythonText.uppercase(try text()))
    case "lower": return .string(PythonText.lowercase(try text()))
    case "capitalize": return .string(PythonText.capitalize(try text()))
    case "title": return .string(PythonText.title(try text(), byWords: true))
    case "string", "safe": return .string(try text())
    case "replace": return .string(try TemplateMethods.replaced(try text(), arguments, budget))
    case "indent": return .string(try indented(try text(), arguments))
    case "escape", "e": return .string(escaped(try text()))
    case "tojson": return .string(try json(value, arguments))
    case "length", "count": return .integer(try count(value))
    case "int", "float", "abs", "round": return try number(value, name, arguments)
    case "items":
      switch value {
      case .undefined: return .list([])
      case .mapping(let mapping): return .list(mapping.entries.map { .tuple([$0.key, $0.value]) })
      default: throw TemplateFailure("'items' needs a dictionary, not \(value.kind)")
      }
    default: return try listFilter(value, name, arguments)
    }
  }

  private func count(_ value: RuntimeValue) throws(TemplateFailure) -> Int {
    switch value {
    case .string(let text): return text.unicodeScalars.count
    case .undefined, .list, .tuple, .mapping, .loop: return try budget.elements(value).count
    default: throw TemplateFailure("\(value.kind) has no length")
    }
  }

  private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "'": result += "&#39;"
      case "\"": result += "&#34;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private func indented(_ text: String, _ arguments: RuntimeArguments) throws(TemplateFailure) -> String {
    let indention: String
    if case .string(let given)? = arguments.value(0, "width") {
      indention = given
    } else {
      let width = try arguments.integer(0, "width") ?? 4
      guard width <= 1000 else { throw TemplateFailure("an indent of \(width) is too wide") }
      indention = String(repeating: " ", count: max(width, 0))
    }
    let isBlankIndented = arguments.flag(2, "blank")
    // The added line ending preserves an empty last line, as in Jinja.
    var lines = try budget.lines(text + "\n")
    try budget.charge(lines.count, times: indention.utf8.count)
    for index in lines.indices.dropFirst() where isBlankIndented || !lines[index].isEmpty {
      lines[index] = indention + lines[index]
    }
    return (arguments.flag(1, "first") ? indention : "") + lines.joined(separator: "\n")
  }

  private func json(_ value: RuntimeValue, _ arguments: RuntimeArguments) throws(TemplateFailure) -> String {
    // The parameters of Transformers' `tojson`: ensure_ascii, indent, separators, sort_keys.
    let named = RuntimeArguments(named: arguments.named)
    guard arguments.positional.isEmpty, !named.flag(0, "ensure_ascii") else {
      throw .unsupported("'tojson' with positional arguments or ensure_ascii")
    }
    let indent = try named.integer(0, "indent")
    guard indent.map({ $0 <= 1000 }) ?? true else {
      throw TemplateFailure("an indent of \(indent ?? 0) is too wide")
    }
    var writer = TemplateJSON(
      budget: budget, indent: indent.map { max($0, 0) }, itemSeparator: indent == nil ? ", " : ",",
      keySeparator: ": ")
    if let separators = named.value(0, "separators"), separators.isTrue {
      let parts = try budget.elements(separators)
      guard parts.count == 2 else { throw TemplateFailure("'separators' must be two strings") }
      (writer.itemSeparator, writer.keySeparator) = (try budget.text(parts[0]), try budget.text(parts[1]))
    }
    writer.sortsKeys = named.flag(0, "sort_keys")
    return try writer.text(value)
  }

  private func number(
    _ value: RuntimeValue, _ name: String, _ arguments: RuntimeArguments
  ) throws(TemplateFailure) -> RuntimeValue {
    switch name {
    case "int":
      if let whole = value.whole { return .integer(whole) }
      var parsed = value.number
      if case .string(let text) = value {
        let digits = PythonText.strip(text)
        if let whole = Int(digits) { return .integer(whole) }
        parsed = Double(digits)
      }
      if let parsed, let whole = Int(exactly: parsed.rounded(.towardZero)) { return .integer(whole) }
      return arguments.value(0, "default") ?? .integer(0)
    case "float":
      if let number = value.number { return .double(number) }
      if case .string(let text) = value, let number = Double(PythonText.strip(text)) {
        return .double(number)
      }
      return arguments.value(0, "default") ?? .double(0)
    case "abs":
      if case .double(let double) = value { return .double(abs(double)) }
      guard let whole = value.whole, whole != .min else { throw TemplateFailure("'abs' needs a number") }
      return .integer(abs(whole))
    default:
      guard let number = value.number else {
        throw TemplateFailure("'round' needs a number, not \(value.kind)")
      }
      let precision = try arguments.integer(0, "precision") ?? 0
      let method = try arguments.string(1, "method") ?? "common"
      let rules: [String: FloatingPointRoundingRule] = [
        "common": .toNearestOrEven, "ceil": .up, "floor": .down,
      ]
      guard method.utf8.count <= TemplateLexer.longestName, let rule = rules[method],
        (-20...20).contains(precision)
      else {
        throw TemplateFailure("'round' supports the methods common, ceil and floor, and up to 20 places")
      }
      if method == "common", let whole = value.whole, precision >= 0 { return .integer(whole) }
      if method == "common", precision > 0 {
        return .double(Double(String(format: "%.\(precision)f", number)) ?? number)
      }
      let scale = pow(10, Double(precision))
      return .double((number * scale).rounded(rule) / scale)
    }
  }
}
