import InputErrors

/// Overrides: single values set from outside the file, for example `training.learningRate=5e-4`.
extension YAMLNode {
  /// Returns the tree with the value at a dotted path replaced or added.
  ///
  /// The value is YAML, so lists and mappings can be given in flow style: `training.betas=[0.9, 0.99]`. In a
  /// list, a path component is the `name` of an item or its index from 0: `tasks.decide.rank=8`. Whether
  /// the fields exist and the values are valid is checked later, when the tree is decoded.
  package func overriding(_ override: String, file: String) throws(FieldError) -> YAMLNode {
    func refused(_ problem: String, _ remedy: String) -> FieldError {
      FieldError(file: file, origin: .override(override), field: nil, problem: problem, remedy: remedy)
    }
    let example = "write a field's path, '=' and its value, as in training.learningRate=5e-4"
    guard let equals = override.firstIndex(of: "=") else { throw refused("there is no '='", example) }
    let path = override[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(trimmed)
    guard !path.contains("") else { throw refused("the path before '=' has an empty part", example) }
    let text = String(override[override.index(after: equals)...])
    let origin = Origin.override(override)
    let value =
      try Self.parse(text, file: file, override: override)
      ?? YAMLNode(content: .scalar("", quoted: false), origin: origin)
    return try setting(path[...], to: value, origin: origin, refused: refused)
  }

  private func setting(
    _ path: ArraySlice<String>, to value: YAMLNode, origin: Origin, refused: (String, String) -> FieldError
  ) throws(FieldError) -> YAMLNode {
    guard let key = path.first else { return value }
    let rest = path.dropFirst()
    let empty = YAMLNode(content: .scalar("", quoted: false), origin: origin)
    var changed = self
    switch content {
    case .mapping(var entries):
      if let place = entries.firstIndex(where: { $0.key == key }) {
        entries[place].value = try entries[place].value.setting(
          rest, to: value, origin: origin, refused: refused)
      } else {
        let new = try empty.setting(rest, to: value, origin: origin, refused: refused)
        entries.append(Entry(key: key, keyOrigin: origin, value: new))
      }
      changed.content = .mapping(entries)
    case .list(var items):
      let names = items.compactMap(\.itemName)
      let index = items.firstIndex { $0.itemName == key } ?? Int(key)
      guard let index, items.indices.contains(index) else {
        let remedy =
          nearestName(to: key, in: names).map { "did you mean '\($0)'?" }
          ?? (names.isEmpty
            ? "use an index from 0 to \(items.count - 1)" : "use one of: \(names.joined(separator: ", "))")
        throw refused("the list has no item '\(key)'", remedy)
      }
      items[index] = try items[index].setting(rest, to: value, origin: origin, refused: refused)
      changed.content = .list(items)
    case .scalar where isNull:
      let new = try empty.setting(rest, to: value, origin: origin, refused: refused)
      changed = YAMLNode(
        content: .mapping([Entry(key: key, keyOrigin: origin, value: new)]), origin: origin)
    case .scalar:
      throw refused("there is no field '\(key)' inside a single value", "set the value itself")
    }
    return changed
  }

  /// The `name` of a list item.
  private var itemName: String? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == "name" }?.value.text
  }
}

/// The text without leading and trailing white space.
package func trimmed(_ text: some StringProtocol) -> String {
  let kept = text.drop(while: \.isWhitespace)
  return String(kept.reversed().drop(while: \.isWhitespace).reversed())
}
