import InputErrors

/// A mapping in a YAML file whose keys have been checked against the known fields.
package struct StrictFields {
  package let file: String
  /// The dotted path of the mapping; empty for the root.
  package let path: String
  package let origin: YAMLNode.Origin?
  private let entries: [YAMLNode.Entry]

  /// Checks the keys of a mapping; null counts as a mapping without fields.
  ///
  /// - Throws: `FieldError` if the value is not a mapping or has a key that is not in `known`.
  package init(_ field: Field, known: [String]) throws(FieldError) {
    (file, path, origin) = (field.file, field.path, field.node.origin)
    if field.node.isNull {
      entries = []
      return
    }
    guard case .mapping(let entries) = field.node.content else {
      throw field.error(
        "expected a mapping of fields, found \(field.node.kind)",
        "use these fields: \(known.joined(separator: ", "))")
    }
    self.entries = entries
    for entry in entries where !known.contains(entry.key) {
      let remedy =
        nearestName(to: entry.key, in: known).map { "did you mean '\(Self.join(path, $0))'?" }
        ?? "use one of: \(known.joined(separator: ", "))"
      throw FieldError(
        file: file, origin: entry.keyOrigin, field: Self.join(path, entry.key),
        problem: "not a known field", remedy: remedy)
    }
  }

  /// The field of a key; `nil` if the file does not have it.
  package subscript(key: String) -> Field? {
    guard let entry = entries.first(where: { $0.key == key }) else { return nil }
    return Field(file: file, path: Self.join(path, key), node: entry.value)
  }

  /// The mapping of a key; it has no fields if the file does not have it.
  package func mapping(_ key: String, known: [String]) throws(FieldError) -> StrictFields {
    let missing = YAMLNode(content: .mapping([]), origin: origin)
    return try StrictFields(
      self[key] ?? Field(file: file, path: Self.join(path, key), node: missing), known: known)
  }

  /// The field of a key without a default.
  package func required(_ key: String, _ remedy: String) throws(FieldError) -> Field {
    guard let field = self[key] else { throw error(key, "is missing", remedy) }
    return field
  }

  /// An error about a key of this mapping, at the origin of its value, or of the mapping if the key is
  /// absent.
  package func error(_ key: String, _ problem: String, _ remedy: String) -> FieldError {
    FieldError(
      file: file, origin: self[key]?.node.origin ?? origin, field: Self.join(path, key), problem: problem,
      remedy: remedy)
  }

  private static func join(_ path: String, _ key: String) -> String {
    path.isEmpty ? key : path + "." + key
  }
}

/// One value of a YAML file with its path and origin, and functions that decode it.
package struct Field {
  package let file: String
  /// The dotted path: `training.rounds`.
  package let path: String
  package let node: YAMLNode

  package init(file: String, path: String, node: YAMLNode) {
    (self.file, self.path, self.node) = (file, path, node)
  }

  package func error(_ problem: String, _ remedy: String) -> FieldError {
    FieldError(
      file: file, origin: node.origin, field: path.isEmpty ? nil : path, problem: problem, remedy: remedy)
  }

  /// The value as text that is not empty or only white space.
  package func text(_ remedy: String) throws(FieldError) -> String {
    let text = try anyText(remedy)
    guard text.contains(where: { !$0.isWhitespace }) else { throw error("is empty", remedy) }
    return text
  }

  /// The value as text; it may be empty, but not null. Trailing line breaks, which YAML's `|` keeps, are
  /// dropped.
  package func anyText(_ remedy: String) throws(FieldError) -> String {
    guard let text = node.text else {
      guard !node.isNull else { throw error("is empty", remedy) }
      if case .mapping = node.content {
        throw error("expected text, found a mapping", "put text with a colon in quotes")
      }
      throw error("expected text, found \(node.kind)", remedy)
    }
    // Most texts have none, and a list may have very many texts.
    guard text.utf8.last == 0x0A else { return text }
    return String(text.reversed().drop { $0 == "\n" }.reversed())
  }

  /// The value as an integer within a range.
  package func integer(_ range: ClosedRange<Int>) throws(FieldError) -> Int {
    guard let text = plain, let value = Int(text) else {
      if let text = plain, let number = Self.number(text), number == number.rounded(),
        number.magnitude >= 0x1p53
      {
        throw error("\(text) is outside \(range)", "use a whole number in that range")
      }
      throw error("expected a whole number, found \(node.kind)", "use a whole number in \(range)")
    }
    guard range.contains(value) else {
      throw error("\(value) is outside \(range)", "use a whole number in that range")
    }
    return value
  }

  /// The value as a finite number that `accepts`. `range` describes a refused number in the message.
  package func number(
    _ range: String, _ remedy: String, where accepts: (Double) -> Bool
  ) throws(FieldError) -> Double {
    guard let text = plain, let value = Self.number(text) else {
      throw error("expected a number, found \(node.kind)", remedy)
    }
    guard value.isFinite else { throw error("\(text) is not a finite number", remedy) }
    guard accepts(value) else { throw error("\(text) is \(range)", remedy) }
    // Without this, -0 would give the same workflow a different canonical text.
    return value == 0 ? 0 : value
  }

  /// The value as a share in `0...1`.
  package func share(_ remedy: String) throws(FieldError) -> Double {
    try number("outside 0...1", remedy) { (0...1).contains($0) }
  }

  /// The value as `true` or `false`.
  package func boolean() throws(FieldError) -> Bool {
    switch plain {
    case "true", "True", "TRUE": return true
    case "false", "False", "FALSE": return false
    default: throw error("expected true or false, found \(node.kind)", "write true or false")
    }
  }

  /// The value as a case of an enumeration, given by its raw value.
  package func choice<Choice: RawRepresentable & CaseIterable>(
    _ type: Choice.Type = Choice.self
  ) throws(FieldError) -> Choice where Choice.RawValue == String {
    let words = Choice.allCases.map(\.rawValue)
    let all = "use one of: \(words.joined(separator: ", "))"
    guard let text = node.text else { throw error("expected a word, found \(node.kind)", all) }
    guard let choice = Choice(rawValue: text) else {
      throw error(
        "'\(text)' is not known", nearestName(to: text, in: words).map { "did you mean '\($0)'?" } ?? all)
    }
    return choice
  }

  /// The items of a list; null is an empty list. `example` is shown in the error message.
  package func list(_ example: String) throws(FieldError) -> [Field] {
    if node.isNull { return [] }
    guard case .list(let items) = node.content else {
      throw error("expected a list, found \(node.kind)", "write a list, as in \(example)")
    }
    return items.enumerated().map { Field(file: file, path: "\(path).\($0)", node: $1) }
  }

  private var plain: String? {
    guard case .scalar(let text, quoted: false) = node.content, !node.isNull else { return nil }
    return text
  }

  /// Parses a decimal number, `.inf` or `.nan`; hexadecimal and names such as `infinity` are refused.
  package static func number(_ text: String) -> Double? {
    switch text.lowercased() {
    case ".inf", "+.inf": return .infinity
    case "-.inf": return -.infinity
    case ".nan": return .nan
    default:
      guard text.unicodeScalars.allSatisfy({ "0123456789+-.eE".unicodeScalars.contains($0) }) else {
        return nil
      }
      return Double(text)
    }
  }
}
