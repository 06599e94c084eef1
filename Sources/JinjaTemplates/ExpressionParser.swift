/// A recursive-descent parser for the tokens inside one `{{ }}` or `{% %}`.
///
/// Precedence from lowest to highest: inline `if`, `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`,
/// `**`, signs, then attributes, calls, filters and tests.
struct ExpressionParser {
  let line: Int
  private let tokens: [TemplateToken]
  private var index = 0
  private var depth = 0
  private var links = 0

  static let deepest = 100
  /// The maximum number of operators, attributes, calls, filters and tests in one tag. Each one nests its
  /// predecessors one level deeper.
  static let longestChain = 240

  init(tokens: [TemplateToken], line: Int) {
    self.tokens = tokens
    self.line = line
  }

  var isAtEnd: Bool { index == tokens.count }

  private var current: TemplateToken.Kind? { index < tokens.count ? tokens[index].kind : nil }

  private func failure(_ expected: String) -> TemplateError {
    let found: String
    switch current {
    case nil: found = "the end"
    case .name(let name)?: found = "'\(name)'"
    case .string?: found = "a string"
    case .integer?, .number?: found = "a number"
    case .symbol(let symbol)?: found = "'\(symbol)'"
    }
    return .syntax(
      line: index < tokens.count ? tokens[index].line : line, reason: "\(expected) expected, found \(found)")
  }

  func expectEnd() throws(TemplateError) {
    guard isAtEnd else { throw failure("the end of the tag") }
  }

  /// Counts one more link of a chain.
  private mutating func link(_ value: Expression) throws(TemplateError) -> Expression {
    links += 1
    guard links <= Self.longestChain else {
      throw .syntax(line: line, reason: "a tag holds more than \(Self.longestChain) operations; use 'set'")
    }
    return value
  }

  func isAt(_ symbol: String) -> Bool { current == .symbol(symbol) }

  private func isAtName(_ name: String) -> Bool { current == .name(name) }

  mutating func take(_ symbol: String) -> Bool {
    guard isAt(symbol) else { return false }
    index += 1
    return true
  }

  mutating func takeName(_ name: String) -> Bool {
    guard isAtName(name) else { return false }
    index += 1
    return true
  }

  mutating func expect(_ symbol: String) throws(TemplateError) {
    guard take(symbol) else { throw failure("'\(symbol)'") }
  }

  mutating func expectName(_ name: String) throws(TemplateError) {
    guard takeName(name) else { throw failure("'\(name)'") }
  }

  mutating func name(_ expected: String) throws(TemplateError) -> String {
    guard case .name(let name)? = current else { throw failure(expected) }
    index += 1
    return name
  }

  /// The loop variables before `in`: `a`, `a, b` or `(a, b)`.
  mutating func targets() throws(TemplateError) -> [String] {
    let isParenthesised = take("(")
    var names = [try name("a loop variable")]
    while take(",") { names.append(try name("a loop variable")) }
    if isParenthesised { try expect(")") }
    return names
  }

  /// The parameters of a macro: `(a, b=1)`.
  mutating func parameters() throws(TemplateError) -> [Statement.Parameter] {
    try expect("(")
    var parameters: [Statement.Parameter] = []
    while !take(")") {
      if !parameters.isEmpty { try expect(",") }
      let name = try name("a parameter")
      parameters.append(Statement.Parameter(name: name, fallback: take("=") ? try expression() : nil))
    }
    return parameters
  }

  /// The filter after `|`: `name` or `name(arguments)`.
  mutating func filterCall() throws(TemplateError) -> Statement.FilterCall {
    let name = try name("a filter")
    return Statement.FilterCall(name: name, arguments: isAt("(") ? try arguments() : CallArguments())
  }

  /// One expression, or a tuple of several separated by commas.
  mutating func tuple(allowsConditional: Bool = true) throws(TemplateError) -> Expression {
    var elements = [allowsConditional ? try expression() : try or()]
    guard isAt(",") else { return elements[0] }
    while take(",") {
      if isAtEnd || isAt(")") { break }
      elements.append(allowsConditional ? try expression() : try or())
    }
    return .tuple(elements)
  }

  mutating func expression() throws(TemplateError) -> Expression {
    guard depth < Self.deepest else {
      throw .syntax(line: line, reason: "an expression is nested deeper than \(Self.deepest) levels")
    }
    depth += 1
    defer { depth -= 1 }
    var value = try or()
    while takeName("if") {
      let condition = try or()
      let otherwise = takeName("else") ? try expression() : nil
      value = try link(.conditional(condition, then: value, else: otherwise))
    }
    return value
  }

  private mutating func or() throws(TemplateError) -> Expression {
    var left = try and()
    while takeName("or") { left = try link(.or(left, try and())) }
    return left
  }

  private mutating func and() throws(TemplateError) -> Expression {
    var left = try not()
    while takeName("and") { left = try link(.and(left, try not())) }
    return left
  }

  private mutating func not() throws(TemplateError) -> Expression {
    var count = 0
    while takeName("not") { count += 1 }
    var value = try comparison()
    for _ in 0..<min(count, 2 - count % 2) { value = .not(value) }
    return value
  }

  private mutating func comparison() throws(TemplateError) -> Expression {
    let first = try sum()
    var rest: [(comparison: Comparison, operand: Expression)] = []
    while true {
      if case .symbol(let symbol)? = current, let comparison = Comparison(rawValue: symbol) {
        index += 1
        rest.append((comparison, try sum()))
      } else if takeName("in") {
        rest.append((.isIn, try sum()))
      } else if isAtName("not"), index + 1 < tokens.count, tokens[index + 1].kind == .name("in") {
        index += 2
        rest.append((.isNotIn, try sum()))
      } else {
        return rest.isEmpty ? first : .comparison(first, rest)
      }
    }
  }

  private mutating func sum() throws(TemplateError) -> Expression {
    var left = try joined()
    while true {
      if take("+") {
        left = try link(.arithmetic(left, .add, try joined()))
      } else if take("-") {
        left = try link(.arithmetic(left, .subtract, try joined()))
      } else {
        return left
      }
    }
  }

  private mutating func joined() throws(TemplateError) -> Expression {
    var left = try product()
    while take("~") { left = try link(.arithmetic(left, .join, try product())) }
    return left
  }

  private mutating func product() throws(TemplateError) -> Expression {
    var left = try power()
    while case .symbol(let symbol)? = current, ["*", "/", "//", "%"].contains(symbol),
      let operation = Arithmetic(rawValue: symbol)
    {
      index += 1
      left = try link(.arithmetic(left, operation, try power()))
    }
    return left
  }

  private mutating func power() throws(TemplateError) -> Expression {
    var left = try signed(allowsFilters: true)
    while take("**") { left = try link(.arithmetic(left, .power, try signed(allowsFilters: true))) }
    return left
  }

  private mutating func signed(allowsFilters: Bool) throws(TemplateError) -> Expression {
    guard depth < Self.deepest else {
      throw .syntax(line: line, reason: "an expression is nested too deeply")
    }
    depth += 1
    defer { depth -= 1 }
    var value: Expression
    if take("-") {
      value = .sign(try signed(allowsFilters: false), isNegative: true)
    } else if take("+") {
      value = .sign(try signed(allowsFilters: false), isNegative: false)
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return allowsFilters ? try filtersAndTests(value) : value
  }

  private mutating func primary() throws(TemplateError) -> Expression {
    guard let token = current else { throw failure("a value") }
    index += 1
    switch token {
    case .name("true"), .name("True"): return .constant(.bool(true))
    case .name("false"), .name("False"): return .constant(.bool(false))
    case .name("none"), .name("None"): return .constant(.null)
    case .name(let name): return .name(name)
    case .integer(let integer): return .constant(.integer(integer))
    case .number(let number): return .constant(.number(number))
    case .string(var string):
      while case .string(let more)? = current {
        string += more
        index += 1
      }
      return .constant(.string(string))
    case .symbol("("):
      if take(")") { return .tuple([]) }
      let value = try tuple()
      try expect(")")
      return value
    case .symbol("["):
      var elements: [Expression] = []
      while !take("]") {
        if !elements.isEmpty {
          try expect(",")
          if take("]") { break }
        }
        elements.append(try expression())
      }
      return .list(elements)
    case .symbol("{"):
      var members: [(key: Expression, value: Expression)] = []
      while !take("}") {
        if !members.isEmpty {
          try expect(",")
          if take("}") { break }
        }
        let key = try expression()
        try expect(":")
        members.append((key, try expression()))
      }
      return .dictionary(members)
    default:
      index -= 1
      throw failure("a value")
    }
  }

  private mutating func postfix(_ value: Expression) throws(TemplateError) -> Expression {
    var value = value
    while true {
      if take(".") {
        if case .integer(let position)? = current {
          index += 1
          value = try link(.item(value, .constant(.integer(position))))
        } else {
          value = try link(.attribute(value, try name("an attribute")))
        }
      } else if take("[") {
        value = try link(try subscripted(value))
      } else if isAt("(") {
        value = try link(.call(value, try arguments()))
      } else {
        return value
      }
    }
  }

  private mutating func subscripted(_ value: Expression) throws(TemplateError) -> Expression {
    var parts: [Expression?] = [nil]
    while !take("]") {
      if take(":") {
        parts.append(nil)
      } else {
        guard parts[parts.count - 1] == nil else { throw failure("']'") }
        parts[parts.count - 1] = try expression()
      }
    }
    switch parts.count {
    case 1:
      guard let item = parts[0] else { throw failure("an index") }
      return .item(value, item)
    case 2, 3: return .slice(value, start: parts[0], stop: parts[1], step: parts.count == 3 ? parts[2] : nil)
    default: throw failure("']'")
    }
  }

  mutating func arguments() throws(TemplateError) -> CallArguments {
    try expect("(")
    var arguments = CallArguments()
    while !take(")") {
      if !arguments.positional.isEmpty || !arguments.named.isEmpty {
        try expect(",")
        if take(")") { break }
      }
      if isAt("*") || isAt("**") { throw .unsupported(line: line, feature: "unpacking arguments with '*'") }
      if case .name(let name)? = current, index + 1 < tokens.count, tokens[index + 1].kind == .symbol("=") {
        index += 2
        arguments.named.append((name, try expression()))
      } else {
        guard arguments.named.isEmpty else { throw failure("a named argument") }
        arguments.positional.append(try expression())
      }
    }
    return arguments
  }

  private mutating func filtersAndTests(_ value: Expression) throws(TemplateError) -> Expression {
    var value = value
    while true {
      if take("|") {
        let call = try filterCall()
        value = try link(.filter(value, call.name, call.arguments))
      } else if takeName("is") {
        value = try link(try test(value))
      } else if isAt("(") {
        value = try link(.call(value, try arguments()))
      } else {
        return value
      }
    }
  }

  private mutating func test(_ value: Expression) throws(TemplateError) -> Expression {
    let isNegated = takeName("not")
    let name = try name("a test")
    var given = CallArguments()
    if isAt("(") {
      given = try arguments()
    } else if startsArgument {
      given.positional = [try postfix(try primary())]
    }
    let test = Expression.test(value, name, given)
    return isNegated ? .not(test) : test
  }

  /// Whether an argument without parentheses follows the test, as in `is divisibleby 3`.
  private var startsArgument: Bool {
    switch current {
    case .name(let name)?: !["and", "or", "else", "if", "is", "in", "not", "recursive"].contains(name)
    case .string?, .integer?, .number?, .symbol("[")?, .symbol("{")?: true
    default: false
    }
  }
}
