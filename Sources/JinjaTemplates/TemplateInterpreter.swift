import StrictJSON

/// Executes the statements of a template.
final class TemplateInterpreter {
  /// The names defined in one block. Inner scopes see outer ones.
  final class Scope {
    var values: [String: RuntimeValue]
    let parent: Scope?

    init(parent: Scope?, values: [String: RuntimeValue] = [:]) {
      self.parent = parent
      self.values = values
    }

    func find(_ name: String) -> RuntimeValue? {
      var scope: Scope? = self
      while let here = scope {
        if let value = here.values[name] { return value }
        scope = here.parent
      }
      return nil
    }
  }

  private enum Flow {
    case next, leave(Statement.Leave)
  }

  /// The longest output, in UTF-8 bytes, and the longest `range`.
  static let longestOutput = 1 << 26
  static let longestRange = 100_000
  /// The maximum nesting of statements and expressions, including the bodies of macros.
  static let deepest = 250
  /// The maximum nesting of lists and dictionaries.
  static let deepestValue = 300

  var scope: Scope
  private var output = ""
  private var line = 1
  private var loopDepth = 0
  private var depth = 0

  init(context: [String: JSONValue]) {
    let globals = Scope(parent: nil, values: TemplateGlobals.values)
    scope = Scope(parent: globals, values: context.mapValues(RuntimeValue.init))
  }

  func render(_ body: [Statement]) throws(TemplateError) -> String {
    do {
      _ = try run(body)
      return output
    } catch {
      throw located(error)
    }
  }

  private func located(_ failure: TemplateFailure) -> TemplateError {
    switch failure {
    case .reason(let reason): .evaluation(line: line, reason: reason)
    case .raised(let message): .raised(message: message)
    case .unsupported(let feature): .unsupported(line: line, feature: feature)
    case .located(let error): error
    }
  }

  private func write(_ text: String) throws(TemplateFailure) {
    output += text
    guard output.utf8.count <= Self.longestOutput else {
      throw TemplateFailure("the output exceeds \(Self.longestOutput) bytes")
    }
  }

  private func inNewScope<Result>(
    _ parent: Scope? = nil, _ body: () throws(TemplateFailure) -> Result
  ) throws(TemplateFailure) -> Result {
    let outer = scope
    scope = Scope(parent: parent ?? outer)
    defer { scope = outer }
    return try body()
  }

  /// The text that the statements output.
  private func captured(_ body: [Statement]) throws(TemplateFailure) -> String {
    let before = output
    output = ""
    defer { output = before }
    _ = try run(body)
    return output
  }

  /// Runs `body` one nesting level deeper.
  func deeper<Result>(_ body: () throws(TemplateFailure) -> Result) throws(TemplateFailure) -> Result {
    guard depth < Self.deepest else {
      throw TemplateFailure("statements, expressions and macros are nested more than \(Self.deepest) deep")
    }
    depth += 1
    defer { depth -= 1 }
    return try body()
  }

  private func run(_ body: [Statement]) throws(TemplateFailure) -> Flow {
    try deeper { () throws(TemplateFailure) in try runEach(body) }
  }

  private func runEach(_ body: [Statement]) throws(TemplateFailure) -> Flow {
    for statement in body {
      if statement.line > 0 { line = statement.line }
      if case .leave(let leave) = try run(statement) { return .leave(leave) }
    }
    return .next
  }

  private func run(_ statement: Statement) throws(TemplateFailure) -> Flow {
    switch statement.kind {
    case .text(let text): try write(text)
    case .output(let expression): try write(try evaluate(expression).text)
    case .branch(let branches, let otherwise):
      for branch in branches where try evaluate(branch.condition).isTrue { return try run(branch.body) }
      return try run(otherwise)
    case .loop(let targets, let sequence, let condition, let body, let otherwise):
      return try runLoop(targets, sequence, condition, body, otherwise)
    case .leaveLoop(let leave):
      guard loopDepth > 0 else { throw TemplateFailure("'break' or 'continue' outside a loop") }
      return .leave(leave)
    case .set(let targets, let value):
      let value = try evaluate(value)
      if targets.count == 1 {
        try assign(value, to: targets[0])
      } else {
        let elements = try value.elements()
        guard elements.count == targets.count else {
          throw TemplateFailure("\(elements.count) values for \(targets.count) names")
        }
        for (target, element) in zip(targets, elements) { try assign(element, to: target) }
      }
    case .setBlock(let target, let filters, let body):
      let text = try inNewScope { () throws(TemplateFailure) in try captured(body) }
      try assign(try apply(filters, to: .string(text)), to: target)
    case .macro(let macro): scope.values[macro.name] = .function(function(macro))
    case .callBlock(let parameters, let call, let body):
      guard case .call(let callee, let given) = call else {
        throw TemplateFailure("'call' needs a macro call")
      }
      let caller = function(Statement.Macro(name: "caller", parameters: parameters, body: body))
      var arguments = try evaluate(given)
      arguments.named.append(("caller", .function(caller)))
      try write(try self.call(try evaluate(callee), arguments).text)
    case .filterBlock(let filters, let body):
      let text = try inNewScope { () throws(TemplateFailure) in try captured(body) }
      try write(try apply(filters, to: .string(text)).text)
    case .with(let values, let body):
      var evaluated: [String: RuntimeValue] = [:]
      for value in values { evaluated[value.name] = try evaluate(value.value) }
      return try inNewScope { () throws(TemplateFailure) in
        scope.values = evaluated
        return try run(body)
      }
    case .scope(let body): return try inNewScope { () throws(TemplateFailure) in try run(body) }
    }
    return .next
  }

  private func runLoop(
    _ targets: [String], _ sequence: Expression, _ condition: Expression?, _ body: [Statement],
    _ otherwise: [Statement]
  ) throws(TemplateFailure) -> Flow {
    var elements = try evaluate(sequence).elements()
    if let condition {
      var kept: [RuntimeValue] = []
      for element in elements {
        let isKept = try inNewScope { () throws(TemplateFailure) in
          try bind(targets, to: element)
          return try evaluate(condition).isTrue
        }
        if isKept { kept.append(element) }
      }
      elements = kept
    }
    guard !elements.isEmpty else {
      return try inNewScope { () throws(TemplateFailure) in try run(otherwise) }
    }
    loopDepth += 1
    defer { loopDepth -= 1 }
    let loop = LoopState(elements: elements)
    for (index, element) in elements.enumerated() {
      loop.index = index
      let flow = try inNewScope { () throws(TemplateFailure) in
        scope.values["loop"] = .loop(loop)
        try bind(targets, to: element)
        return try run(body)
      }
      if case .leave(.breakLoop) = flow { break }
    }
    return .next
  }

  private func bind(_ names: [String], to element: RuntimeValue) throws(TemplateFailure) {
    guard names.count > 1 else {
      scope.values[names[0]] = element
      return
    }
    let parts = try element.elements()
    guard parts.count == names.count else {
      throw TemplateFailure("\(parts.count) values for \(names.count) loop variables")
    }
    for (name, part) in zip(names, parts) { scope.values[name] = part }
  }

  private func assign(_ value: RuntimeValue, to target: Statement.Target) throws(TemplateFailure) {
    var isNamespace = false
    if case .namespace = value { isNamespace = true }
    // Only a runaway template would nest values deeper or put namespaces inside values.
    guard isNamespace || value.isNested(atMost: Self.deepestValue) else {
      throw TemplateFailure("a value is nested too deeply, or holds a namespace")
    }
    switch target {
    case .name(let name): scope.values[name] = value
    case .attribute(let name, let attribute):
      guard !isNamespace else { throw TemplateFailure("a namespace cannot hold a namespace") }
      guard case .namespace(let namespace)? = scope.find(name) else {
        throw TemplateFailure("'\(name).\(attribute)' can only be set where '\(name)' is a namespace")
      }
      namespace.members[attribute] = value
    }
  }

  private func apply(
    _ filters: [Statement.FilterCall], to value: RuntimeValue
  ) throws(TemplateFailure) -> RuntimeValue {
    var value = value
    for filter in filters { value = try self.filter(value, filter.name, try evaluate(filter.arguments)) }
    return value
  }

  /// A macro as a value. It sees the names in scope at its definition.
  private func function(_ macro: Statement.Macro) -> RuntimeValue.Function {
    let home = scope
    return RuntimeValue.Function(macro.name) { [unowned self] arguments throws(TemplateFailure) in
      guard arguments.positional.count <= macro.parameters.count else {
        throw TemplateFailure("the macro '\(macro.name)' takes at most \(macro.parameters.count) arguments")
      }
      let loops = loopDepth
      loopDepth = 0
      defer { loopDepth = loops }
      return try inNewScope(home) { () throws(TemplateFailure) in
        for argument in arguments.named {
          guard argument.name == "caller" || macro.parameters.contains(where: { $0.name == argument.name })
          else {
            throw TemplateFailure("the macro '\(macro.name)' has no parameter '\(argument.name)'")
          }
        }
        for (index, parameter) in macro.parameters.enumerated() {
          if let given = arguments.value(index, parameter.name) {
            scope.values[parameter.name] = given
          } else if let fallback = parameter.fallback {
            scope.values[parameter.name] = try evaluate(fallback)
          } else {
            scope.values[parameter.name] = .undefined("the parameter '\(parameter.name)' was not given")
          }
        }
        if let caller = arguments.named.first(where: { $0.name == "caller" }) {
          scope.values["caller"] = caller.value
        }
        return .string(try captured(macro.body))
      }
    }
  }
}
