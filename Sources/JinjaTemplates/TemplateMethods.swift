/// The methods of Python's strings, lists and dictionaries that templates use.
enum TemplateMethods {
  private typealias Body = (RuntimeArguments) throws(TemplateFailure) -> RuntimeValue

  private static func function(
    _ name: String, of receiver: RuntimeValue, _ body: @escaping Body
  ) -> RuntimeValue {
    .function(RuntimeValue.Function(name, of: receiver, body))
  }

  static func method(
    _ name: String, of mapping: RuntimeValue.Mapping, _ budget: TemplateBudget
  ) -> RuntimeValue? {
    func function(_ body: @escaping Body) -> RuntimeValue { Self.function(name, of: .mapping(mapping), body) }
    switch name {
    case "items":
      return function { _ throws(TemplateFailure) in
        .list(mapping.entries.map { .tuple([$0.key, $0.value]) })
      }
    case "keys": return function { _ throws(TemplateFailure) in .list(mapping.entries.map(\.key)) }
    case "values": return function { _ throws(TemplateFailure) in .list(mapping.entries.map(\.value)) }
    case "get":
      return function { arguments throws(TemplateFailure) in
        guard let key = arguments.value(0, "key") else { throw TemplateFailure("'get' needs a key") }
        return try budget.value(key, in: mapping) ?? arguments.value(1, "default") ?? .none
      }
    case "update", "pop", "popitem", "clear", "setdefault": return forbidden(name)
    default: return nil
    }
  }

  /// - Parameter receiver: the list or tuple of `elements`.
  static func method(
    _ name: String, of receiver: RuntimeValue, _ elements: [RuntimeValue], _ budget: TemplateBudget
  ) -> RuntimeValue? {
    switch name {
    case "index":
      return function(name, of: receiver) { arguments throws(TemplateFailure) in
        guard let value = arguments.value(0, "value"), let index = try budget.index(of: value, in: elements)
        else { throw TemplateFailure("'index' found nothing") }
        return .integer(index)
      }
    case "count":
      return function(name, of: receiver) { arguments throws(TemplateFailure) in
        guard let value = arguments.value(0, "value") else { throw TemplateFailure("'count' needs a value") }
        var count = 0
        for element in elements where try budget.equal(element, value) { count += 1 }
        return .integer(count)
      }
    case "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse": return forbidden(name)
    default: return nil
    }
  }

  private static func forbidden(_ name: String) -> RuntimeValue {
    function(name, of: .none) { _ throws(TemplateFailure) in
      throw TemplateFailure("'\(name)' would change a value; a template cannot")
    }
  }

  /// `replace(old, new, count)`.
  static func replaced(
    _ text: String, _ arguments: RuntimeArguments, _ budget: TemplateBudget
  ) throws(TemplateFailure) -> String {
    guard let old = try arguments.string(0, "old"), let new = try arguments.string(1, "new") else {
      throw TemplateFailure("'replace' needs two strings")
    }
    let limit = try arguments.integer(2, "count") ?? -1
    var count = old.isEmpty ? text.utf8.count + 1 : PythonText.count(old, in: text)
    if limit >= 0 { count = min(count, limit) }
    try budget.charge(text.utf8.count)
    try budget.charge(count, times: new.utf8.count)
    return PythonText.replace(text, old, with: new, limit: limit)
  }

  static func method(_ name: String, of text: String, _ budget: TemplateBudget) -> RuntimeValue? {
    func function(_ name: String, _ body: @escaping Body) -> RuntimeValue {
      Self.function(name, of: .string(text), body)
    }
    switch name {
    case "strip", "lstrip", "rstrip":
      return function(name) { arguments throws(TemplateFailure) in
        .string(strip(text, try arguments.string(0, "chars"), name))
      }
    case "split", "rsplit":
      return function(name) { arguments throws(TemplateFailure) in
        let limit = try arguments.integer(1, "maxsplit") ?? -1
        let fromRight = name == "rsplit"
        guard let separator = try arguments.string(0, "sep") else {
          return list(try budget.split(text, limit: limit, fromRight: fromRight))
        }
        guard !separator.isEmpty else {
          throw TemplateFailure("'\(name)' needs a separator that is not empty")
        }
        return list(try budget.split(text, at: separator, limit: limit, fromRight: fromRight))
      }
    case "splitlines": return function(name) { _ throws(TemplateFailure) in list(try budget.lines(text)) }
    case "startswith", "endswith":
      return function(name) { arguments throws(TemplateFailure) in
        for affix in try affixes(arguments, name) {
          try budget.charge(affix.utf8.count)
          if matches(text, affix, atStart: name == "startswith") { return .boolean(true) }
        }
        return .boolean(false)
      }
    case "removeprefix", "removesuffix":
      return function(name) { arguments throws(TemplateFailure) in
        let isPrefix = name == "removeprefix"
        guard let affix = try arguments.string(0, "affix"), matches(text, affix, atStart: isPrefix) else {
          return .string(text)
        }
        let count = affix.unicodeScalars.count
        return .string(
          String(isPrefix ? text.unicodeScalars.dropFirst(count) : text.unicodeScalars.dropLast(count)))
      }
    case "partition", "rpartition":
      return function(name) { arguments throws(TemplateFailure) in
        guard let separator = try arguments.string(0, "sep"), !separator.isEmpty else {
          throw TemplateFailure("'\(name)' needs a separator that is not empty")
        }
        let fromRight = name == "rpartition"
        let parts = try budget.split(text, at: separator, limit: 1, fromRight: fromRight)
        if parts.count == 2 { return .tuple([.string(parts[0]), .string(separator), .string(parts[1])]) }
        let empty = RuntimeValue.string("")
        return .tuple(fromRight ? [empty, empty, .string(text)] : [.string(text), empty, empty])
      }
    case "replace":
      return function(name) { arguments throws(TemplateFailure) in
        .string(try replaced(text, arguments, budget))
      }
    case "find", "rfind", "index":
      return function(name) { arguments throws(TemplateFailure) in
        guard let part = try arguments.string(0, "sub") else {
          throw TemplateFailure("'\(name)' needs a string")
        }
        let place = PythonText.find(part, in: text, fromRight: name == "rfind")
        guard place >= 0 || name != "index" else { throw TemplateFailure("'index' found nothing") }
        return .integer(place)
      }
    case "count":
      return function(name) { arguments throws(TemplateFailure) in
        guard let part = try arguments.string(0, "sub") else {
          throw TemplateFailure("'count' needs a string")
        }
        return .integer(part.isEmpty ? text.unicodeScalars.count + 1 : PythonText.count(part, in: text))
      }
    case "join":
      return function(name) { arguments throws(TemplateFailure) in
        var parts: [String] = []
        for element in try budget.elements(arguments.value(0, "iterable") ?? .none) {
          guard case .string(let part) = element else {
            throw TemplateFailure("'join' joins strings, not \(element.kind)")
          }
          parts.append(part)
        }
        return .string(try budget.joined(parts, separator: text))
      }
    case "upper": return function(name) { _ throws(TemplateFailure) in .string(PythonText.uppercase(text)) }
    case "lower": return function(name) { _ throws(TemplateFailure) in .string(PythonText.lowercase(text)) }
    case "capitalize":
      return function(name) { _ throws(TemplateFailure) in .string(PythonText.capitalize(text)) }
    case "title":
      return function(name) { _ throws(TemplateFailure) in .string(PythonText.title(text, byWords: false)) }
    case "isspace": return classTest(name, text, PythonText.isSpace)
    case "isdigit":
      return classTest(name, text) {
        $0.properties.numericType == .decimal || $0.properties.numericType == .digit
      }
    case "isalpha": return classTest(name, text, PythonText.isLetter)
    case "isalnum":
      return classTest(name, text) { PythonText.isLetter($0) || $0.properties.numericType != nil }
    case "isupper", "islower":
      return function(name) { _ throws(TemplateFailure) in
        let cased = text.unicodeScalars.filter(\.properties.isCased)
        return .boolean(
          !cased.isEmpty
            && cased.allSatisfy { name == "isupper" ? $0.properties.isUppercase : $0.properties.isLowercase })
      }
    case "format", "encode", "zfill", "ljust", "rjust", "center", "translate", "casefold", "swapcase",
      "expandtabs":
      return function(name) { _ throws(TemplateFailure) in throw .unsupported("the string method '\(name)'") }
    default: return nil
    }
  }

  private static func list(_ strings: [String]) -> RuntimeValue { .list(strings.map(RuntimeValue.string)) }

  private static func classTest(
    _ name: String, _ text: String, _ condition: @escaping (Unicode.Scalar) -> Bool
  ) -> RuntimeValue {
    function(name, of: .string(text)) { _ throws(TemplateFailure) in
      .boolean(!text.isEmpty && text.unicodeScalars.allSatisfy(condition))
    }
  }

  /// `strip`, `lstrip` or `rstrip`: removes white space or the given scalars.
  static func strip(_ text: String, _ characters: String?, _ name: String) -> String {
    let (left, right) = (name != "rstrip", name != "lstrip")
    guard let characters else { return PythonText.strip(text, left: left, right: right) }
    let set = Set(characters.unicodeScalars)
    return PythonText.strip(text, left: left, right: right) { set.contains($0) }
  }

  /// The prefixes or suffixes to look for: one string or a tuple of strings.
  private static func affixes(
    _ arguments: RuntimeArguments, _ name: String
  ) throws(TemplateFailure) -> [String] {
    switch arguments.value(0, "prefix") {
    case .string(let affix)?: return [affix]
    case .tuple(let elements)?:
      var affixes: [String] = []
      for element in elements {
        guard case .string(let affix) = element else { throw TemplateFailure("'\(name)' needs strings") }
        affixes.append(affix)
      }
      return affixes
    default: throw TemplateFailure("'\(name)' needs a string")
    }
  }

  private static func matches(_ text: String, _ affix: String, atStart: Bool) -> Bool {
    atStart
      ? text.utf8.starts(with: affix.utf8)
      : text.utf8.suffix(affix.utf8.count).elementsEqual(affix.utf8)
  }
}
