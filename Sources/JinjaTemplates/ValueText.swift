extension TemplateBudget {
  /// Python's `str`.
  func text(_ value: RuntimeValue) throws(TemplateFailure) -> String {
    switch value {
    case .undefined: return ""
    case .string(let text): return text
    default: return try representation(value)
    }
  }

  /// Python's `repr`.
  func representation(_ value: RuntimeValue) throws(TemplateFailure) -> String {
    var text = ""
    try write(value, to: &text)
    return text
  }

  private func write(_ value: RuntimeValue, to text: inout String) throws(TemplateFailure) {
    switch value {
    case .list(let elements): try write(elements, "[", "]", to: &text)
    case .tuple(let elements): try write(elements, "(", elements.count == 1 ? ",)" : ")", to: &text)
    case .mapping(let mapping):
      text += "{"
      for (index, entry) in mapping.entries.enumerated() {
        try charge(2 * Self.bytesPerElement)
        if index > 0 { text += ", " }
        try write(entry.key, to: &text)
        text += ": "
        try write(entry.value, to: &text)
      }
      text += "}"
    case .namespace(let namespace):
      text += "<Namespace "
      try write(.mapping(namespace.members), to: &text)
      text += ">"
    case .string(let string):
      try charge(string.utf8.count)
      text += PythonText.quoted(string)
    default:
      let scalar = value.scalarRepresentation
      try charge(scalar.utf8.count)
      text += scalar
    }
  }

  private func write(
    _ elements: [RuntimeValue], _ open: String, _ close: String, to text: inout String
  ) throws(TemplateFailure) {
    text += open
    for (index, element) in elements.enumerated() {
      try charge(Self.bytesPerElement)
      if index > 0 { text += ", " }
      try write(element, to: &text)
    }
    text += close
  }
}

extension TemplateBudget {
  /// The parts of a text between runs of white space, each of which counts while it is found.
  func split(_ text: String, limit: Int, fromRight: Bool) throws(TemplateFailure) -> [String] {
    try PythonText.split(text, limit: limit, fromRight: fromRight) { () throws(TemplateFailure) in
      try charge(Self.bytesPerElement)
    }
  }

  /// The parts of a text between occurrences of a non-empty separator, which count before they are made.
  func split(
    _ text: String, at separator: String, limit: Int, fromRight: Bool
  ) throws(TemplateFailure) -> [String] {
    let places = PythonText.places(of: separator, in: text, limit: limit, fromRight: fromRight)
    try charge(places.count + 1, times: Self.bytesPerElement)
    return PythonText.split(text, at: places, length: separator.utf8.count)
  }

  /// The lines of a text, each of which counts while it is found.
  func lines(_ text: String) throws(TemplateFailure) -> [String] {
    try PythonText.lines(text) { () throws(TemplateFailure) in try charge(Self.bytesPerElement) }
  }

  /// The texts with `separator` between them.
  func joined(_ parts: [String], separator: String) throws(TemplateFailure) -> String {
    for part in parts { try charge(part.utf8.count) }
    try charge(parts.count, times: separator.utf8.count)
    return parts.joined(separator: separator)
  }
}

extension RuntimeValue {
  /// Python's `repr` of a value without elements; of others, only their kind.
  var scalarRepresentation: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .boolean(let boolean): boolean ? "True" : "False"
    case .integer(let integer): String(integer)
    case .double(let double): Self.spell(double)
    case .string(let string): PythonText.quoted(string)
    case .loop(let loop): "<LoopContext \(loop.index + 1)/\(loop.elements.count)>"
    case .function(let function): "<function \(function.name)>"
    case .list, .tuple, .mapping, .namespace: kind
    }
  }

  /// A floating-point number as Python prints it.
  static func spell(_ double: Double) -> String {
    if double.isNaN { return "nan" }
    if double.isInfinite { return double < 0 ? "-inf" : "inf" }
    return double.description
  }
}
