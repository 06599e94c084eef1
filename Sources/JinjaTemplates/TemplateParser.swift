/// Builds a template's statements from its segments.
struct TemplateParser {
  private let segments: [TemplateSegment]
  private var index = 0
  private var depth = 0

  static let deepest = 100

  init(segments: [TemplateSegment]) {
    self.segments = segments
  }

  mutating func template() throws(TemplateError) -> [Statement] {
    let (body, end) = try body(until: [], of: "template", line: 1)
    precondition(end == nil)
    return body
  }

  /// The statements up to one of the closing keywords in `ends`, and a parser for the tokens after that
  /// keyword.
  private mutating func body(
    until ends: [String], of opener: String, line: Int
  ) throws(TemplateError) -> (body: [Statement], end: (word: String, tokens: ExpressionParser)?) {
    guard depth < Self.deepest else { throw .syntax(line: line, reason: "statements are nested too deeply") }
    depth += 1
    defer { depth -= 1 }
    var statements: [Statement] = []
    while index < segments.count {
      let segment = segments[index]
      index += 1
      switch segment {
      case .text(let text): statements.append(Statement(kind: .text(text), line: 0))
      case .expression(let tokens, let line):
        var parser = ExpressionParser(tokens: tokens, line: line)
        let expression = try parser.tuple()
        try parser.expectEnd()
        statements.append(Statement(kind: .output(expression), line: line))
      case .statement(let tokens, let line):
        var parser = ExpressionParser(tokens: tokens, line: line)
        let word = try parser.name("the name of a statement")
        if ends.contains(word) { return (statements, (word, parser)) }
        statements.append(Statement(kind: try statement(word, &parser), line: line))
      }
    }
    guard ends.isEmpty else {
      throw .syntax(line: line, reason: "'\(opener)' has no '\(ends.last ?? "")'")
    }
    return (statements, nil)
  }

  /// The statements up to `end` followed by the opener's name.
  private mutating func closedBody(_ opener: String, line: Int) throws(TemplateError) -> [Statement] {
    let (body, end) = try body(until: ["end" + opener], of: opener, line: line)
    try end?.tokens.expectEnd()
    return body
  }

  private mutating func statement(
    _ word: String, _ parser: inout ExpressionParser
  ) throws(TemplateError) -> Statement.Kind {
    let line = parser.line
    switch word {
    case "if": return try branch(&parser)
    case "for": return try loop(&parser)
    case "set": return try set(&parser)
    case "break", "continue":
      try parser.expectEnd()
      return .leaveLoop(word == "break" ? .breakLoop : .continueLoop)
    case "macro":
      let name = try parser.name("the macro's name")
      let parameters = try parser.parameters()
      try parser.expectEnd()
      return .macro(
        Statement.Macro(name: name, parameters: parameters, body: try closedBody(word, line: line)))
    case "call":
      let parameters = parser.isAt("(") ? try parser.parameters() : []
      let call = try parser.expression()
      try parser.expectEnd()
      return .callBlock(parameters: parameters, call: call, body: try closedBody(word, line: line))
    case "filter":
      var filters = [try parser.filterCall()]
      while parser.take("|") { filters.append(try parser.filterCall()) }
      try parser.expectEnd()
      return .filterBlock(filters, body: try closedBody(word, line: line))
    case "with":
      var values: [(name: String, value: Expression)] = []
      while !parser.isAtEnd {
        if !values.isEmpty { try parser.expect(",") }
        let name = try parser.name("a name")
        try parser.expect("=")
        values.append((name, try parser.expression()))
      }
      return .with(values, body: try closedBody(word, line: line))
    case "generation":
      try parser.expectEnd()
      return .scope(try closedBody(word, line: line))
    case "include", "import", "from", "extends", "block", "autoescape", "do", "trans", "debug":
      throw .unsupported(line: line, feature: "the statement '\(word)'")
    default:
      throw .syntax(line: line, reason: "'\(word)' is not a statement that is allowed here")
    }
  }

  private mutating func branch(_ parser: inout ExpressionParser) throws(TemplateError) -> Statement.Kind {
    var branches: [(condition: Expression, body: [Statement])] = []
    var condition = try parser.tuple()
    try parser.expectEnd()
    while true {
      let (body, end) = try body(until: ["elif", "else", "endif"], of: "if", line: parser.line)
      branches.append((condition, body))
      guard var end else { preconditionFailure("a body with ends has an end") }
      if end.word == "elif" {
        condition = try end.tokens.tuple()
        try end.tokens.expectEnd()
        continue
      }
      try end.tokens.expectEnd()
      return .branch(branches, otherwise: end.word == "else" ? try closedBody("if", line: parser.line) : [])
    }
  }

  private mutating func loop(_ parser: inout ExpressionParser) throws(TemplateError) -> Statement.Kind {
    let targets = try parser.targets()
    try parser.expectName("in")
    let sequence = try parser.tuple(allowsConditional: false)
    let condition = parser.takeName("if") ? try parser.expression() : nil
    if parser.takeName("recursive") { throw .unsupported(line: parser.line, feature: "a recursive 'for'") }
    try parser.expectEnd()
    let (body, end) = try body(until: ["else", "endfor"], of: "for", line: parser.line)
    try end?.tokens.expectEnd()
    let otherwise = end?.word == "else" ? try closedBody("for", line: parser.line) : []
    return .loop(targets: targets, over: sequence, where: condition, body: body, otherwise: otherwise)
  }

  private mutating func set(_ parser: inout ExpressionParser) throws(TemplateError) -> Statement.Kind {
    var targets: [Statement.Target] = []
    repeat {
      let name = try parser.name("a name to set")
      targets.append(parser.take(".") ? .attribute(name, try parser.name("an attribute")) : .name(name))
    } while parser.take(",")
    if parser.take("=") {
      let value = try parser.tuple()
      try parser.expectEnd()
      return .set(targets: targets, value: value)
    }
    var filters: [Statement.FilterCall] = []
    while parser.take("|") { filters.append(try parser.filterCall()) }
    try parser.expectEnd()
    guard targets.count == 1 else { throw .syntax(line: parser.line, reason: "'set' needs a value") }
    return .setBlock(targets[0], filters: filters, body: try closedBody("set", line: parser.line))
  }
}
