import Yams

/// One value of a YAML document with its origin. Aliases are resolved.
package struct YAMLNode: Sendable {
  /// Where a value comes from.
  package enum Origin: Sendable, Equatable {
    /// A line of the file, from 1.
    case line(Int)
    /// An override, as the user wrote it.
    case override(String)
  }

  package struct Entry: Sendable {
    package let key: String
    package let keyOrigin: Origin?
    package var value: YAMLNode
  }

  package enum Content: Sendable {
    /// `quoted` is false only for plain scalars; only they can be numbers, booleans or null.
    case scalar(String, quoted: Bool)
    case list([YAMLNode])
    case mapping([Entry])
  }

  package var content: Content
  /// `nil` for a value that does not come from YAML.
  package var origin: Origin?

  /// Whether this is a plain scalar that means null: empty, `~` or `null`.
  package var isNull: Bool {
    guard case .scalar(let text, quoted: false) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// The text of a scalar; `nil` for null, lists and mappings.
  package var text: String? {
    guard case .scalar(let text, _) = content, !isNull else { return nil }
    return text
  }

  /// The value as error messages describe it: `'abc'`, `the quoted text 'abc'`, `a list`.
  package var kind: String {
    switch content {
    case .scalar where isNull: "nothing"
    case .scalar(let text, quoted: true): "the quoted text '\(text)'"
    case .scalar(let text, quoted: false): "'\(text)'"
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }
}

extension YAMLNode: Decodable {
  /// Decodes a value of another format, such as JSON; it has no origin.
  ///
  /// - Throws: `DecodingError`.
  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      content = .scalar("", quoted: false)
    } else if let text = try? value.decode(String.self) {
      content = .scalar(text, quoted: true)
    } else if let number = try? value.decode(Int.self) {
      content = .scalar("\(number)", quoted: false)
    } else if let number = try? value.decode(Double.self) {
      content = .scalar("\(number)", quoted: false)
    } else if let truth = try? value.decode(Bool.self) {
      content = .scalar("\(truth)", quoted: false)
    } else if let items = try? value.decode([YAMLNode].self) {
      content = .list(items)
    } else {
      let entries = try value.decode([String: YAMLNode].self)
      content = .mapping(entries.map { Entry(key: $0, keyOrigin: nil, value: $1) })
    }
  }
}

extension YAMLNode {
  /// The number of values that aliases may add to. A text without aliases has fewer values than bytes, so the
  /// limit grows with its length: only small files whose nested aliases expand to far more are refused.
  private static func maximumNodes(_ yaml: String) -> Int { max(100_000, yaml.utf8.count) }

  /// Parses one YAML document.
  ///
  /// - Parameters:
  ///   - yaml: the text.
  ///   - file: the file's name, for error messages.
  ///   - override: if `yaml` is the value of an override, the override, which becomes the origin of every
  ///     node.
  /// - Returns: the root, or `nil` if the document is empty.
  package static func parse(_ yaml: String, file: String, override: String? = nil) throws(FieldError)
    -> YAMLNode?
  {
    var left = maximumNodes(yaml)
    do {
      guard let root = try Yams.Parser(yaml: yaml, encoding: .utf8).singleRoot() else { return nil }
      return try convert(root, file: file, override: override, left: &left)
    } catch let error as FieldError {
      throw error
    } catch let error as YamlError {
      throw refusal(of: error, file: file, override: override)
    } catch {
      throw FieldError(
        file: file, origin: override.map(Origin.override), field: nil, problem: "\(error)",
        remedy: "correct the YAML")
    }
  }

  private static func convert(
    _ node: Node, file: String, override: String?, left: inout Int
  ) throws(FieldError) -> YAMLNode {
    func origin(_ node: Node) -> Origin {
      override.map(Origin.override) ?? .line(node.mark?.line ?? 1)
    }
    func refused(_ node: Node, _ problem: String, _ remedy: String) -> FieldError {
      FieldError(file: file, origin: origin(node), field: nil, problem: problem, remedy: remedy)
    }
    left -= 1
    guard left >= 0 else {
      throw refused(node, "the aliases expand to too many values", "write the values out")
    }
    switch node {
    case .scalar(let scalar):
      let plain = scalar.style == .plain || scalar.style == .any
      return YAMLNode(content: .scalar(scalar.string, quoted: !plain), origin: origin(node))
    case .sequence(let sequence):
      var items: [YAMLNode] = []
      for item in sequence {
        items.append(try convert(item, file: file, override: override, left: &left))
      }
      return YAMLNode(content: .list(items), origin: origin(node))
    case .mapping(let mapping):
      var entries: [Entry] = []
      var keys: Set<String> = []
      for (key, value) in mapping {
        guard case .scalar(let name) = key else {
          throw refused(key, "a key that is not a single value", "use the fields' names as keys")
        }
        guard keys.insert(name.string).inserted else {
          throw refused(key, "the key '\(name.string)' is duplicated in a mapping", "remove one of them")
        }
        let converted = try convert(value, file: file, override: override, left: &left)
        entries.append(Entry(key: name.string, keyOrigin: origin(key), value: converted))
      }
      return YAMLNode(content: .mapping(entries), origin: origin(node))
    case .alias:
      throw refused(node, "an undefined alias", "write the value out")
    }
  }

  /// Translates a parser's error: the line, the problem and the fix.
  private static func refusal(of error: YamlError, file: String, override: String?) -> FieldError {
    let syntax = "check indentation (spaces, no tabs), colons and quotes near there"
    let (line, problem, remedy): (Int?, String, String)
    switch error {
    case .scanner(_, let text, let mark, _), .parser(_, let text, let mark, _):
      (line, problem, remedy) = (mark.line, "not valid YAML: \(text)", syntax)
    case .composer(_, "but found another document", let mark, _):
      (line, problem, remedy) = (mark.line, "a second YAML document", "keep one in a file")
    case .composer(_, let text, let mark, _):
      (line, problem, remedy) = (mark.line, "not valid YAML: \(text)", "define the anchor before the alias")
    case .reader(let text, let offset, _, let yaml):
      line = offset.map { yaml.prefix($0).count { $0.isNewline } + 1 }
      (problem, remedy) = (
        "not valid YAML: \(text)", "remove that character or write it as an escape in quotes"
      )
    case .duplicatedKeysInMapping(let keys, let context):
      line = context.mark.line
      problem = "the key \(keys.map { "'\($0)'" }.joined(separator: ", ")) is duplicated in a mapping"
      remedy = "remove one of them"
    default:
      (line, problem, remedy) = (nil, "not valid YAML: \(error)", "correct the YAML")
    }
    return FieldError(
      file: file, origin: override.map(Origin.override) ?? line.map(Origin.line), field: nil,
      problem: problem, remedy: remedy)
  }
}
