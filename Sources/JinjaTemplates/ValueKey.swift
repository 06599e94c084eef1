/// A value as the key of a dictionary. Values that are equal in Python have equal keys: 1, 1.0 and true are one.
enum ValueKey: Hashable {
  case undefined
  case none
  case integer(Int)
  case double(Double)
  case text(ByteText)
  case tuple([ValueKey])
  case object(ObjectIdentifier)

  static func text(_ text: String) -> ValueKey { .text(ByteText(text)) }

  /// A text that is compared by its bytes, unlike Swift's strings, which are compared by characters.
  struct ByteText: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ByteText, right: ByteText) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
      var text = text
      text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
  }
}

extension TemplateBudget {
  /// A value as a key; `nil` for lists, dictionaries and namespaces, which Python does not hash.
  func key(_ value: RuntimeValue) throws(TemplateFailure) -> ValueKey? {
    switch value {
    case .undefined: return .undefined
    case .none: return ValueKey.none
    case .boolean(let boolean): return .integer(boolean ? 1 : 0)
    case .integer(let integer): return .integer(integer)
    case .double(let double): return Int(exactly: double).map(ValueKey.integer) ?? .double(double)
    case .string(let text):
      try charge(text.utf8.count)
      return .text(text)
    case .tuple(let elements):
      try charge(elements.count * Self.bytesPerElement)
      var keys: [ValueKey] = []
      for element in elements {
        guard let key = try key(element) else { return nil }
        keys.append(key)
      }
      return .tuple(keys)
    case .loop(let loop): return .object(ObjectIdentifier(loop))
    case .function(let function): return .object(ObjectIdentifier(function))
    case .list, .mapping, .namespace: return nil
    }
  }

  /// The value of a dictionary at a key.
  ///
  /// - Throws: a failure if the key is a list, dictionary or namespace.
  func value(_ key: RuntimeValue, in mapping: RuntimeValue.Mapping) throws(TemplateFailure) -> RuntimeValue? {
    guard let key = try self.key(key) else { throw TemplateFailure("\(key.kind) cannot be a key") }
    return mapping[key]
  }

  /// Sets the value of a dictionary at a key.
  ///
  /// - Throws: a failure if the key is a list, dictionary or namespace.
  func set(
    _ key: RuntimeValue, _ value: RuntimeValue, in mapping: inout RuntimeValue.Mapping
  ) throws(TemplateFailure) {
    guard let index = try self.key(key) else { throw TemplateFailure("\(key.kind) cannot be a key") }
    mapping.set(index, key, value)
  }
}
