import StrictJSON

/// A value at rendering time.
enum RuntimeValue {
  /// Something that was not found. The text says what it is, for the error if the value is used.
  case undefined(String)
  case none
  case boolean(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case list([RuntimeValue])
  case tuple([RuntimeValue])
  case mapping(Mapping)
  case namespace(Namespace)
  case loop(LoopState)
  case function(Function)

  /// A dictionary in insertion order.
  struct Mapping {
    struct Entry {
      let key: RuntimeValue
      var value: RuntimeValue
    }

    private(set) var entries: [Entry] = []

    subscript(key: String) -> RuntimeValue? {
      for entry in entries {
        if case .string(let other) = entry.key, other.utf8.elementsEqual(key.utf8) { return entry.value }
      }
      return nil
    }

    subscript(key: RuntimeValue) -> RuntimeValue? { entries.first { $0.key.equals(key) }?.value }

    mutating func set(_ key: RuntimeValue, _ value: RuntimeValue) {
      if let index = entries.firstIndex(where: { $0.key.equals(key) }) {
        entries[index].value = value
      } else {
        entries.append(Entry(key: key, value: value))
      }
    }
  }

  /// The value of `namespace()`: the only object that a template can modify from an inner scope.
  final class Namespace {
    var members: [String: RuntimeValue] = [:]
  }

  /// A callable value.
  final class Function {
    let name: String
    let body: (RuntimeArguments) throws(TemplateFailure) -> RuntimeValue

    init(_ name: String, _ body: @escaping (RuntimeArguments) throws(TemplateFailure) -> RuntimeValue) {
      self.name = name
      self.body = body
    }
  }

  init(_ value: JSONValue) {
    switch value {
    case .null: self = .none
    case .bool(let bool): self = .boolean(bool)
    case .integer(let integer): self = .integer(integer)
    case .number(let number): self = .double(number)
    case .string(let string): self = .string(string)
    case .array(let array): self = .list(array.map(RuntimeValue.init))
    case .object(let members):
      var mapping = Mapping()
      for member in members { mapping.set(.string(member.key), RuntimeValue(member.value)) }
      self = .mapping(mapping)
    }
  }

  /// Whether lists and dictionaries are nested at most `levels` deep and contain no namespace.
  func isNested(atMost levels: Int) -> Bool {
    switch self {
    case .list(let elements), .tuple(let elements):
      levels > 0 && elements.allSatisfy { $0.isNested(atMost: levels - 1) }
    case .mapping(let mapping):
      levels > 0 && mapping.entries.allSatisfy { $0.value.isNested(atMost: levels - 1) }
    case .loop(let loop): levels > 0 && loop.elements.allSatisfy { $0.isNested(atMost: levels - 1) }
    case .namespace: false
    default: true
    }
  }

  /// Python's truth value.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .boolean(let boolean): boolean
    case .integer(let integer): integer != 0
    case .double(let double): double != 0
    case .string(let string): !string.isEmpty
    case .list(let elements), .tuple(let elements): !elements.isEmpty
    case .mapping(let mapping): !mapping.entries.isEmpty
    case .namespace, .loop, .function: true
    }
  }

  var isUndefined: Bool {
    if case .undefined = self { return true }
    return false
  }

  /// The name of the type, for messages.
  var kind: String {
    switch self {
    case .undefined(let what): "an undefined value (\(what))"
    case .none: "none"
    case .boolean: "a boolean"
    case .integer, .double: "a number"
    case .string: "a string"
    case .list: "a list"
    case .tuple: "a tuple"
    case .mapping: "a dictionary"
    case .namespace: "a namespace"
    case .loop: "the loop"
    case .function(let function): "the function '\(function.name)'"
    }
  }

  /// The value as a number; booleans count as 0 and 1.
  var number: Double? {
    switch self {
    case .boolean(let boolean): boolean ? 1 : 0
    case .integer(let integer): Double(integer)
    case .double(let double): double
    default: nil
    }
  }

  /// The value as an integer; booleans count as 0 and 1.
  var whole: Int? {
    switch self {
    case .boolean(let boolean): boolean ? 1 : 0
    case .integer(let integer): integer
    default: nil
    }
  }

  /// Python's `==`.
  func equals(_ other: RuntimeValue) -> Bool {
    if let left = whole, let right = other.whole { return left == right }
    if let left = number, let right = other.number { return left == right }
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)): return left.utf8.elementsEqual(right.utf8)
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      return left.count == right.count && zip(left, right).allSatisfy { $0.equals($1) }
    case (.mapping(let left), .mapping(let right)):
      return left.entries.count == right.entries.count
        && left.entries.allSatisfy { entry in right[entry.key].map(entry.value.equals) ?? false }
    case (.namespace(let left), .namespace(let right)): return left === right
    case (.loop(let left), .loop(let right)): return left === right
    case (.function(let left), .function(let right)): return left === right
    default: return false
    }
  }

  /// Python's `<`: compares numbers with numbers, strings with strings, lists with lists.
  func isLess(than other: RuntimeValue) throws(TemplateFailure) -> Bool {
    if let left = whole, let right = other.whole { return left < right }
    if let left = number, let right = other.number { return left < right }
    switch (self, other) {
    case (.string(let left), .string(let right)): return left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      for (a, b) in zip(left, right) where !a.equals(b) { return try a.isLess(than: b) }
      return left.count < right.count
    default: throw TemplateFailure("\(kind) and \(other.kind) cannot be ordered")
    }
  }

  /// Python's `<=`.
  func isAtMost(_ other: RuntimeValue) throws(TemplateFailure) -> Bool {
    if equals(other) { return true }
    return try isLess(than: other)
  }

  /// Python's `str`.
  var text: String {
    switch self {
    case .undefined: ""
    case .string(let string): string
    default: representation
    }
  }

  /// Python's `repr`.
  var representation: String {
    switch self {
    case .undefined: return "Undefined"
    case .none: return "None"
    case .boolean(let boolean): return boolean ? "True" : "False"
    case .integer(let integer): return String(integer)
    case .double(let double): return Self.spell(double)
    case .string(let string): return PythonText.quoted(string)
    case .list(let elements): return "[" + elements.map(\.representation).joined(separator: ", ") + "]"
    case .tuple(let elements):
      let inside = elements.map(\.representation).joined(separator: ", ")
      return "(" + inside + (elements.count == 1 ? ",)" : ")")
    case .mapping(let mapping):
      let members = mapping.entries.map { $0.key.representation + ": " + $0.value.representation }
      return "{" + members.joined(separator: ", ") + "}"
    case .namespace(let namespace):
      let members = namespace.members.sorted { $0.key < $1.key }
      return "<Namespace {"
        + members.map { "'\($0.key)': " + $0.value.representation }.joined(separator: ", ") + "}>"
    case .loop(let loop): return "<LoopContext \(loop.index + 1)/\(loop.elements.count)>"
    case .function(let function): return "<function \(function.name)>"
    }
  }

  /// A floating-point number as Python prints it.
  static func spell(_ double: Double) -> String {
    if double.isNaN { return "nan" }
    if double.isInfinite { return double < 0 ? "-inf" : "inf" }
    return double.description
  }

  /// The elements that a `for` iterates over.
  func elements() throws(TemplateFailure) -> [RuntimeValue] {
    switch self {
    case .undefined: return []
    case .list(let elements), .tuple(let elements): return elements
    case .string(let string): return string.unicodeScalars.map { .string(String($0)) }
    case .mapping(let mapping): return mapping.entries.map(\.key)
    case .loop(let loop): return loop.elements
    default: throw TemplateFailure("\(kind) cannot be iterated")
    }
  }
}

/// A failure during rendering, before its line is known.
enum TemplateFailure: Error {
  case reason(String)
  case raised(String)
  case unsupported(String)
  case located(TemplateError)

  init(_ reason: String) { self = .reason(reason) }
}

/// The value of `loop` inside a `for`.
final class LoopState {
  let elements: [RuntimeValue]
  var index = 0
  private var lastSeen: [RuntimeValue]?

  init(elements: [RuntimeValue]) {
    self.elements = elements
  }

  func attribute(_ name: String) -> RuntimeValue? {
    switch name {
    case "index": return .integer(index + 1)
    case "index0": return .integer(index)
    case "revindex": return .integer(elements.count - index)
    case "revindex0": return .integer(elements.count - index - 1)
    case "first": return .boolean(index == 0)
    case "last": return .boolean(index == elements.count - 1)
    case "length": return .integer(elements.count)
    // Jinja's `depth` counts only recursive loops, which are not implemented.
    case "depth": return .integer(1)
    case "depth0": return .integer(0)
    case "previtem": return index > 0 ? elements[index - 1] : .undefined("there is no previous item")
    case "nextitem":
      return index + 1 < elements.count ? elements[index + 1] : .undefined("there is no next item")
    case "cycle":
      return .function(
        .init("cycle") { [self] arguments throws(TemplateFailure) in
          guard !arguments.positional.isEmpty else { throw TemplateFailure("'loop.cycle' needs values") }
          return arguments.positional[index % arguments.positional.count]
        })
    case "changed":
      return .function(
        .init("changed") { [self] arguments throws(TemplateFailure) in
          let seen = arguments.positional
          defer { lastSeen = seen }
          guard let lastSeen, lastSeen.count == seen.count else { return .boolean(true) }
          return .boolean(!zip(lastSeen, seen).allSatisfy { $0.equals($1) })
        })
    default: return nil
    }
  }
}

/// The evaluated arguments of a call, filter or test.
struct RuntimeArguments {
  var positional: [RuntimeValue] = []
  var named: [(name: String, value: RuntimeValue)] = []

  /// The argument at a position or with a name; `nil` if it is not given.
  func value(_ index: Int, _ name: String) -> RuntimeValue? {
    if index < positional.count { return positional[index] }
    return named.first { $0.name == name }?.value
  }

  func string(_ index: Int, _ name: String) throws(TemplateFailure) -> String? {
    guard let value = value(index, name) else { return nil }
    switch value {
    case .none: return nil
    case .string(let string): return string
    default: throw TemplateFailure("'\(name)' must be a string, not \(value.kind)")
    }
  }

  func integer(_ index: Int, _ name: String) throws(TemplateFailure) -> Int? {
    guard let value = value(index, name) else { return nil }
    if case .none = value { return nil }
    guard let integer = value.whole else {
      throw TemplateFailure("'\(name)' must be a whole number, not \(value.kind)")
    }
    return integer
  }

  func flag(_ index: Int, _ name: String) -> Bool { value(index, name)?.isTrue ?? false }
}
