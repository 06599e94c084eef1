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
    let hidden = HiddenAliases(yaml)
    do {
      let parser = try Yams.Parser(yaml: hidden.text, encoding: .utf8)
      guard let root = try parser.singleRoot() else { return nil }
      var composer = YAMLComposer(hidden, file: file, override: override)
      // Nodes refer to their anchors weakly; the parser holds them.
      return try withExtendedLifetime(parser) { () throws(FieldError) in try composer.node(root) }
    } catch let error as FieldError {
      throw error
    } catch let error as YamlError {
      let refusal = refusal(of: error, file: file, override: override)
      throw FieldError(
        file: file, origin: refusal.line.map(Origin.line) ?? override.map(Origin.override), field: nil,
        problem: hidden.restored(refusal.problem), remedy: refusal.remedy)
    } catch {
      throw FieldError(
        file: file, origin: override.map(Origin.override), field: nil, problem: "\(error)",
        remedy: "correct the YAML")
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
