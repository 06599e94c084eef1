extension TemplateInterpreter {
  /// The filters on sequences.
  func listFilter(
    _ value: RuntimeValue, _ name: String, _ arguments: RuntimeArguments
  ) throws(TemplateFailure) -> RuntimeValue {
    switch name {
    case "list": return .list(try budget.elements(value))
    case "first": return try budget.elements(value).first ?? .undefined("the sequence is empty")
    case "last": return try budget.elements(value).last ?? .undefined("the sequence is empty")
    case "reverse":
      if case .string(let text) = value {
        return .string(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
      }
      return .list(try budget.elements(value).reversed())
    case "join":
      var parts: [String] = []
      let path = try path(arguments.value(1, "attribute"))
      for element in try budget.elements(value) {
        parts.append(try budget.text(try member(element, path)))
      }
      let separator = try budget.text(arguments.value(0, "d") ?? .string(""))
      return .string(try budget.joined(parts, separator: separator))
    case "sum":
      var sum = arguments.value(1, "start") ?? .integer(0)
      let path = try path(arguments.value(0, "attribute"))
      for element in try budget.elements(value) {
        sum = try budget.apply(.add, sum, try member(element, path))
      }
      return sum
    case "min", "max":
      let elements = try budget.elements(value)
      guard var best = elements.first else { return .undefined("the sequence is empty") }
      let ignoresCase = !arguments.flag(0, "case_sensitive")
      let path = try path(arguments.value(1, "attribute"))
      var bestKey = try sortKey(best, path, ignoresCase)
      for element in elements.dropFirst() {
        let key = try sortKey(element, path, ignoresCase)
        if try name == "min" ? budget.less(key, bestKey) : budget.less(bestKey, key) {
          (best, bestKey) = (element, key)
        }
      }
      return best
    case "unique":
      let ignoresCase = !arguments.flag(0, "case_sensitive")
      let path = try path(arguments.value(1, "attribute"))
      var seen: Set<ValueKey> = []
      var kept: [RuntimeValue] = []
      for element in try budget.elements(value) {
        let value = try sortKey(element, path, ignoresCase)
        guard let key = try budget.key(value) else {
          throw TemplateFailure("'unique' does not work on \(value.kind)")
        }
        if seen.insert(key).inserted { kept.append(element) }
      }
      return .list(kept)
    case "sort":
      let ignoresCase = !arguments.flag(1, "case_sensitive")
      let path = try path(arguments.value(2, "attribute"))
      return .list(
        try sorted(
          try budget.elements(value), isReversed: arguments.flag(0, "reverse")
        ) { element throws(TemplateFailure) in
          try sortKey(element, path, ignoresCase)
        })
    case "dictsort":
      guard case .mapping(let mapping) = value else {
        throw TemplateFailure("'dictsort' needs a dictionary, not \(value.kind)")
      }
      let ignoresCase = !arguments.flag(0, "case_sensitive")
      let byValue = try arguments.string(1, "by").map { $0.utf8.elementsEqual("value".utf8) } ?? false
      let pairs = mapping.entries.map { RuntimeValue.tuple([$0.key, $0.value]) }
      return .list(
        try sorted(pairs, isReversed: arguments.flag(2, "reverse")) { pair throws(TemplateFailure) in
          try sortKey(try budget.elements(pair)[byValue ? 1 : 0], [], ignoresCase)
        })
    case "map": return try mapped(value, arguments)
    case "select", "reject", "selectattr", "rejectattr": return try selected(value, name, arguments)
    default: throw .unsupported("the filter '\(name)'")
    }
  }

  private func mapped(_ value: RuntimeValue, _ arguments: RuntimeArguments) throws(TemplateFailure)
    -> RuntimeValue
  {
    var results: [RuntimeValue] = []
    if let attribute = arguments.named.first(where: { $0.name == "attribute" })?.value {
      let fallback = arguments.named.first { $0.name == "default" }?.value
      let path = try path(attribute)
      for element in try budget.elements(value) {
        let found = try member(element, path)
        results.append(found.isUndefined ? fallback ?? found : found)
      }
      return .list(results)
    }
    guard case .string(let name)? = arguments.positional.first else {
      throw TemplateFailure("'map' needs a filter or an attribute")
    }
    guard name.utf8.count <= TemplateLexer.longestName else {
      throw .unsupported("the filter '\(TemplateFailure.shown(name))'")
    }
    var rest = arguments
    rest.positional.removeFirst()
    for element in try budget.elements(value) { results.append(try filter(element, name, rest)) }
    return .list(results)
  }

  private func selected(
    _ value: RuntimeValue, _ name: String, _ arguments: RuntimeArguments
  ) throws(TemplateFailure) -> RuntimeValue {
    var rest = arguments
    var path: [RuntimeValue] = []
    if name.hasSuffix("attr") {
      guard !rest.positional.isEmpty else { throw TemplateFailure("'\(name)' needs an attribute") }
      path = try self.path(rest.positional.removeFirst())
    }
    var condition: String?
    if !rest.positional.isEmpty { condition = try budget.text(rest.positional.removeFirst()) }
    guard condition.map({ $0.utf8.count <= TemplateLexer.longestName }) ?? true else {
      throw .unsupported("the test '\(TemplateFailure.shown(condition ?? ""))'")
    }
    var kept: [RuntimeValue] = []
    for element in try budget.elements(value) {
      try budget.step()
      let subject = try member(element, path)
      let holds = if let condition { try test(subject, condition, rest) } else { subject.isTrue }
      if holds == name.hasPrefix("select") { kept.append(element) }
    }
    return .list(kept)
  }

  /// The keys of a dotted path such as `a.0.b`, from the outermost; none without a path.
  private func path(_ path: RuntimeValue?) throws(TemplateFailure) -> [RuntimeValue] {
    guard let path else { return [] }
    if case .none = path { return [] }
    let text = try budget.text(path)
    try budget.charge(text.utf8.count)
    let parts = try budget.split(text, at: ".", limit: -1, fromRight: false)
    return parts.map { part in Int(part).map { .integer($0) } ?? .string(part) }
  }

  /// The attribute of an element at a path; without keys, the element itself.
  private func member(
    _ element: RuntimeValue, _ path: [RuntimeValue]
  ) throws(TemplateFailure) -> RuntimeValue {
    try budget.step()
    var value = element
    for key in path {
      try budget.step()
      value = try item(key, of: value)
    }
    return value
  }

  private func sortKey(
    _ element: RuntimeValue, _ path: [RuntimeValue], _ ignoresCase: Bool
  ) throws(TemplateFailure) -> RuntimeValue {
    let value = try member(element, path)
    guard ignoresCase, case .string(let text) = value else { return value }
    try budget.charge(text.utf8.count)
    return .string(PythonText.lowercase(text))
  }

  /// Sorts stably by key.
  private func sorted(
    _ elements: [RuntimeValue], isReversed: Bool,
    by key: (RuntimeValue) throws(TemplateFailure) -> RuntimeValue
  ) throws(TemplateFailure) -> [RuntimeValue] {
    var keyed: [(key: RuntimeValue, element: RuntimeValue)] = []
    for element in elements { keyed.append((try key(element), element)) }
    do {
      try keyed.sort { try isReversed ? budget.less($1.key, $0.key) : budget.less($0.key, $1.key) }
    } catch let failure as TemplateFailure {
      throw failure
    } catch {
      preconditionFailure("comparing throws nothing else")
    }
    return keyed.map(\.element)
  }
}
