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
    private var places: [ValueKey: Int] = [:]

    subscript(key: String) -> RuntimeValue? { self[ValueKey.text(key)] }

    subscript(key: ValueKey) -> RuntimeValue? { places[key].map { entries[$0].value } }

    mutating func set(_ key: String, _ value: RuntimeValue) { set(.text(key), .string(key), value) }

    /// Sets the value at a key; `place` is `key` for the index.
    mutating func set(_ place: ValueKey, _ key: RuntimeValue, _ value: RuntimeValue) {
      if let index = places[place] {
        entries[index].value = value
      } else {
        places[place] = entries.count
        entries.append(Entry(key: key, value: value))
      }
    }
  }

  /// The value of `namespace()`: the only object that a template can modify from an inner scope.
  final class Namespace {
    var members = Mapping()
  }

  /// A callable value.
  final class Function {
    let name: String
    /// The value whose method this is.
    let receiver: RuntimeValue?
    /// Whether the test `defined` holds.
    let isDefined: Bool
    let body: (RuntimeArguments) throws(TemplateFailure) -> RuntimeValue

    init(
      _ name: String, of receiver: RuntimeValue? = nil, isDefined: Bool = true,
      _ body: @escaping (RuntimeArguments) throws(TemplateFailure) -> RuntimeValue
    ) {
      (self.name, self.receiver, self.isDefined) = (name, receiver, isDefined)
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
      for member in members { mapping.set(member.key, RuntimeValue(member.value)) }
      self = .mapping(mapping)
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
    switch self {
    case .undefined: true
    case .function(let function): !function.isDefined
    default: false
    }
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
}

extension TemplateBudget {
  /// The elements that a `for` iterates over.
  func elements(_ value: RuntimeValue) throws(TemplateFailure) -> [RuntimeValue] {
    switch value {
    case .undefined: return []
    case .list(let elements), .tuple(let elements): return elements
    case .string(let string):
      try charge(string.utf8.count, times: Self.bytesPerElement)
      return string.unicodeScalars.map { .string(String($0)) }
    case .mapping(let mapping):
      try charge(value)
      return mapping.entries.map(\.key)
    case .loop(let loop): return loop.elements
    default: throw TemplateFailure("\(value.kind) cannot be iterated")
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

  /// The start of a name or value from a template, for a text that is kept with an undefined value.
  static func shown(_ text: String) -> String {
    let longest = 60
    guard text.utf8.count > longest else { return text }
    return String(text.unicodeScalars.prefix(longest)) + " …"
  }
}

/// The value of `loop` inside a `for`.
final class LoopState {
  let elements: [RuntimeValue]
  var index = 0
  private var lastSeen: [RuntimeValue]?
  private let budget: TemplateBudget

  init(elements: [RuntimeValue], budget: TemplateBudget) {
    (self.elements, self.budget) = (elements, budget)
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
        .init("cycle", of: .loop(self)) { [self] arguments throws(TemplateFailure) in
          guard !arguments.positional.isEmpty else { throw TemplateFailure("'loop.cycle' needs values") }
          return arguments.positional[index % arguments.positional.count]
        })
    case "changed":
      return .function(
        .init("changed", of: .loop(self)) { [self] arguments throws(TemplateFailure) in
          let seen = arguments.positional
          for value in seen {
            switch value {
            // The loop keeps what it has seen, so it must not see itself.
            case .loop, .function, .namespace, .list, .tuple, .mapping:
              throw TemplateFailure("'loop.changed' compares texts and numbers, not \(value.kind)")
            default: break
            }
          }
          defer { lastSeen = seen }
          guard let lastSeen else { return .boolean(true) }
          return .boolean(try !budget.equal(lastSeen, seen))
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
