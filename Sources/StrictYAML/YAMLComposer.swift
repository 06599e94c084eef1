import Yams

/// A YAML text in which no `*` begins an alias.
///
/// Yams puts in place of an alias what it stands for, and compares the keys of each mapping with all that is in
/// them. Forty aliases of aliases in a key can stand for more values than a computer can visit. Here, Yams
/// reads aliases as words, and `YAMLComposer` resolves them within limits.
struct HiddenAliases {
  /// The text with another character for each `*` that could begin an alias.
  let text: String
  /// A character for private use that the text has neither as it is nor as an escape; it stands for `*`. `nil`
  /// if there is no alias.
  private let mark: Unicode.Scalar?

  init(_ yaml: String) {
    let bytes = Array(yaml.utf8)
    let aliases = bytes.indices.dropLast().filter { bytes[$0] == 0x2A && Self.isNamed(bytes[$0 + 1]) }
    guard !aliases.isEmpty else {
      (text, mark) = (yaml, nil)
      return
    }
    let mark = Self.unused(in: yaml)
    var hidden: [UInt8] = []
    hidden.reserveCapacity(bytes.count + 3 * aliases.count)
    var start = 0
    for alias in aliases {
      hidden += bytes[start..<alias]
      hidden += Array(String(mark).utf8)
      start = alias + 1
    }
    hidden += bytes[start...]
    (text, self.mark) = (String(decoding: hidden, as: UTF8.self), mark)
  }

  private static func isNamed(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
    default: false
    }
  }

  /// The first character of the last private plane that a text does not have. An escape ends with its digits.
  private static func unused(in yaml: String) -> Unicode.Scalar {
    let used = Set(yaml.unicodeScalars.lazy.filter { $0.value >= 0x10_0000 })
    let escapes = yaml.contains("\\") ? yaml.lowercased() : ""
    for value in UInt32(0x10_0000)...0x10_FFFD {
      guard let scalar = Unicode.Scalar(value), !used.contains(scalar) else { continue }
      if escapes.isEmpty || !escapes.contains(String(value, radix: 16)) { return scalar }
    }
    // It would take a text with all 65,534 of them.
    return "\u{10FFFD}"
  }

  /// A text read by Yams, with `*` again.
  func restored(_ text: String) -> String {
    guard let mark, text.unicodeScalars.contains(mark) else { return text }
    var restored = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { restored.append(scalar == mark ? "*" : scalar) }
    return String(restored)
  }

  /// The name in a plain scalar that is an alias; `nil` for other text. The name is empty or has other
  /// characters if it is none that YAML allows.
  func alias(_ plain: String) -> String? {
    guard let mark, plain.unicodeScalars.first == mark else { return nil }
    return String(plain.unicodeScalars.dropFirst())
  }
}

/// Converts the nodes of Yams, and resolves aliases.
struct YAMLComposer {
  /// The maximum depth of a value, with what its aliases stand for.
  private static let maximumDepth = 1000

  /// What an anchor stands for.
  private struct Anchored {
    let node: YAMLNode
    /// The number of values in it, with those of aliases.
    let size: Int
    let depth: Int
  }

  private let hidden: HiddenAliases
  private let file: String
  private let override: String?
  private let limit: Int
  private var anchors: [String: Anchored] = [:]
  /// The values so far, and the depth of the deepest one that has been left.
  private var size = 0

  /// - Parameter override: the origin of every node, if the text is the value of an override.
  init(_ hidden: HiddenAliases, file: String, override: String?) {
    (self.hidden, self.file, self.override) = (hidden, file, override)
    // A text without aliases has fewer values than bytes, so the limit grows with its length: only small
    // texts whose nested aliases stand for far more are refused.
    limit = max(100_000, hidden.text.utf8.count)
  }

  mutating func node(_ root: Node) throws(FieldError) -> YAMLNode { try convert(root, depth: 0).node }

  private func origin(_ node: Node) -> YAMLNode.Origin {
    override.map(YAMLNode.Origin.override) ?? .line(node.mark?.line ?? 1)
  }

  private func refused(_ node: Node, _ problem: String, _ remedy: String) -> FieldError {
    FieldError(file: file, origin: origin(node), field: nil, problem: problem, remedy: remedy)
  }

  /// - Returns: the value and the number of levels below it.
  private mutating func convert(_ node: Node, depth: Int) throws(FieldError) -> (node: YAMLNode, depth: Int) {
    let before = size
    try count(1, depth, node)
    var height = 0
    let content: YAMLNode.Content
    switch node {
    case .scalar(let scalar):
      if let anchored = try alias(scalar, of: node) {
        try count(anchored.size, depth + anchored.depth, node)
        return (anchored.node, anchored.depth)
      }
      let plain = scalar.style == .plain || scalar.style == .any
      content = .scalar(hidden.restored(scalar.string), quoted: !plain)
    case .sequence(let sequence):
      var items: [YAMLNode] = []
      for item in sequence {
        let converted = try convert(item, depth: depth + 1)
        items.append(converted.node)
        height = max(height, converted.depth + 1)
      }
      content = .list(items)
    case .mapping(let mapping):
      var entries: [YAMLNode.Entry] = []
      var keys: Set<String> = []
      for (key, value) in mapping {
        guard case .scalar(let name, _) = try convert(key, depth: depth + 1).node.content else {
          throw refused(key, "a key that is not a single value", "use the fields' names as keys")
        }
        guard keys.insert(name).inserted else {
          throw refused(key, "the key '\(name)' is duplicated in a mapping", "remove one of them")
        }
        let converted = try convert(value, depth: depth + 1)
        entries.append(YAMLNode.Entry(key: name, keyOrigin: origin(key), value: converted.node))
        height = max(height, converted.depth + 1)
      }
      content = .mapping(entries)
    case .alias:
      throw refused(node, "an undefined alias", "write the value out")
    }
    let converted = YAMLNode(content: content, origin: origin(node))
    if let name = node.anchor?.rawValue {
      anchors[name] = Anchored(node: converted, size: size - before, depth: height)
    }
    return (converted, height)
  }

  private mutating func count(_ values: Int, _ depth: Int, _ node: Node) throws(FieldError) {
    size += values
    guard size <= limit else {
      throw refused(node, "the aliases expand to too many values", "write the values out")
    }
    guard depth <= Self.maximumDepth else {
      throw refused(
        node, "values deeper than \(Self.maximumDepth) levels", "write a workflow's fields as documented")
    }
  }

  /// What a scalar stands for; `nil` if it is no alias.
  private func alias(_ scalar: Node.Scalar, of node: Node) throws(FieldError) -> Anchored? {
    guard scalar.style == .plain || scalar.style == .any, let name = hidden.alias(scalar.string) else {
      return nil
    }
    guard !name.isEmpty, Anchor.is_cyamlAlpha(name) else {
      throw refused(
        node, "not valid YAML: '*' begins an alias, and '\(hidden.restored(name))' is not a name",
        "put text that begins with '*' in quotes")
    }
    guard let anchored = anchors[name] else {
      throw refused(
        node, "not valid YAML: found undefined alias", "define the anchor before the alias")
    }
    return anchored
  }
}
