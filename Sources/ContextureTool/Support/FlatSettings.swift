import RunStore
import StrictYAML
import Workflows

extension Workflow {
  /// Every setting of the canonical text by its dotted path, as in `tasks.decide.rank`. A list without names is one
  /// setting.
  var flatSettings: [RunDescription.Setting] {
    guard let root = try? YAMLNode.parse(canonicalYAML(), file: file) else { return [] }
    return root.flat(below: "")
  }
}

extension YAMLNode {
  fileprivate func flat(below path: String) -> [RunDescription.Setting] {
    func inner(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
    switch content {
    case .scalar(let text, _): return [.init(path, isNull ? "null" : text)]
    case .mapping(let entries): return entries.flatMap { $0.value.flat(below: inner($0.key)) }
    case .list(let items):
      let names = items.map(\.name)
      guard !items.isEmpty, names.allSatisfy({ $0 != nil }) else { return [.init(path, inOneLine)] }
      return zip(items, names).flatMap { item, name in
        item.flat(below: inner(name ?? "")).filter { $0.name != inner(name ?? "") + ".name" }
      }
    }
  }

  /// The value of a mapping's `name`.
  private var name: String? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == "name" }?.value.text
  }

  private var inOneLine: String {
    switch content {
    case .scalar(let text, _): isNull ? "null" : text
    case .list(let items): "[" + items.map(\.inOneLine).joined(separator: ", ") + "]"
    case .mapping(let entries):
      "{" + entries.map { "\($0.key): \($0.value.inOneLine)" }.joined(separator: ", ") + "}"
    }
  }
}
