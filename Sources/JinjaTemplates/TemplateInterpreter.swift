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
  }

  private enum Flow {
    case next, leave(Statement.Leave)
  }

  /// The longest `range`.
  static let longestRange = 100_000
  /// The maximum nesting of statements and expressions, including the bodies of macros.
  static let deepest = 250

  let budget: TemplateBudget
  var scope: Scope
  private var output = ""
  private var line = 1
  private var loopDepth = 0
  private var depth = 0
  /// The scopes that hold a macro, which holds its scope.
  private var scopesOfMacros: [Scope] = []

  init(context: [String: JSONValue]) {
    budget = TemplateBudget(for: context)
    let globals = Scope(parent: nil, values: TemplateGlobals(budget).values)
    scope = Scope(parent: globals, values: context.mapValues(RuntimeValue.init))
  }

  func render(_ body: [Statement]) throws(TemplateError) -> String {
    // Macros and their scopes would keep each other in memory.
    defer { for scope in scopesOfMacros { scope.values = [:] } }
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
    try budget.charge(text.utf8.count)
    output += text
  }

  /// The value of a name in the innermost scope that has it.
  func find(_ name: String) throws(TemplateFailure) -> RuntimeValue? {
    var scope: Scope? = scope
    while let here = scope {
      if let value = here.values[name] { return value }
      try budget.step()
      scope = here.parent
    }
    return nil
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

  /// Begins one more level of nesting.
  ///
  /// - Throws: a failure if there are too many.
  func enter() throws(TemplateFailure) {
    guard depth < Self.deepest else {
      throw TemplateFailure("statements, expressions and macros are nested more than \(Self.deepest) deep")
    }
    depth += 1
  }

  /// Ends a level of nesting.
  func leave() { depth -= 1 }

  private func run(_ body: [Statement]) throws(TemplateFailure) -> Flow {
    try enter()
    defer { leave() }
    return try runEach(body)
  }

  private func runEach(_ body: [Statement]) throws(TemplateFailure) -> Flow {
    for statement in body {
      try budget.step()
      if statement.line > 0 { line = statement.line }
      if case .leave(let leave) = try run(statement) { return .leave(leave) }
    }
    return .next
  }

  private func run(_ statement: Statement) throws(TemplateFailure) -> Flow {
    switch statement.kind {
    case .text, .output: try runOutput(statement)
    case .branch(let branches, let otherwise): return try runBranches(branches, otherwise)
    case .loop: return try runLoop(statement)
    case .leaveLoop(let leave):
      guard loopDepth > 0 else { throw TemplateFailure("'break' or 'continue' outside a loop") }
      return .leave(leave)
    case .set(let targets, let value): try assign(try evaluate(value), to: targets)
    case .setBlock, .filterBlock: try runCapture(statement)
    case .macro(let macro): define(macro)
    case .callBlock: try runCall(statement)
    case .with(let values, let body): return try runWith(values, body)
    case .scope(let body): return try inNewScope { () throws(TemplateFailure) in try run(body) }
    }
    return .next
  }

  private func runOutput(_ statement: Statement) throws(TemplateFailure) {
    switch statement.kind {
    case .text(let text): try write(text)
    case .output(let expression): try write(try budget.text(try evaluate(expression)))
    default: preconditionFailure("only output is run here")
    }
  }

  private func define(_ macro: Statement.Macro) {
    scopesOfMacros.append(scope)
    scope.values[macro.name] = .function(function(macro))
  }

  private func runBranches(
    _ branches: [(condition: Expression, body: [Statement])], _ otherwise: [Statement]
  ) throws(TemplateFailure) -> Flow {
    for branch in branches where try evaluate(branch.condition).isTrue { return try run(branch.body) }
    return try run(otherwise)
  }

  /// Runs `{% set name %}` and `{% filter %}`, which take their body's text.
  private func runCapture(_ statement: Statement) throws(TemplateFailure) {
    switch statement.kind {
    case .setBlock(let target, let filters, let body):
      let text = try inNewScope { () throws(TemplateFailure) in try captured(body) }
      try assign(try apply(filters, to: .string(text)), to: target)
    case .filterBlock(let filters, let body):
      let text = try inNewScope { () throws(TemplateFailure) in try captured(body) }
      try write(try budget.text(try apply(filters, to: .string(text))))
    default: preconditionFailure("only captures are run here")
    }
  }

  private func runCall(_ statement: Statement) throws(TemplateFailure) {
    guard case .callBlock(let parameters, let call, let body) = statement.kind else {
      preconditionFailure("only calls are run here")
    }
    guard case .call(let callee, let given) = call else { throw TemplateFailure("'call' needs a macro call") }
    let caller = function(Statement.Macro(name: "caller", parameters: parameters, body: body))
    var arguments = try evaluate(given)
    arguments.named.append(("caller", .function(caller)))
    try write(try budget.text(try self.call(try evaluate(callee), arguments)))
  }

  private func runWith(
    _ values: [(name: String, value: Expression)], _ body: [Statement]
  ) throws(TemplateFailure) -> Flow {
    var evaluated: [String: RuntimeValue] = [:]
    for value in values { evaluated[value.name] = try evaluate(value.value) }
    return try inNewScope { () throws(TemplateFailure) in
      scope.values = evaluated
      return try run(body)
    }
  }

  private func runLoop(_ statement: Statement) throws(TemplateFailure) -> Flow {
    guard case .loop(let targets, let sequence, let condition, let body, let otherwise) = statement.kind
    else {
      preconditionFailure("only loops are run here")
    }
    let elements = try kept(try budget.elements(try evaluate(sequence)), targets, condition)
    guard !elements.isEmpty else {
      return try inNewScope { () throws(TemplateFailure) in try run(otherwise) }
    }
    loopDepth += 1
    defer { loopDepth -= 1 }
    let loop = LoopState(elements: elements, budget: budget)
    for (index, element) in elements.enumerated() {
      loop.index = index
      try budget.step()
      let flow = try inNewScope { () throws(TemplateFailure) in
        scope.values["loop"] = .loop(loop)
        try bind(targets, to: element)
        return try run(body)
      }
      if case .leave(.breakLoop) = flow { break }
    }
    return .next
  }

  /// The elements for which the condition of a loop holds.
  private func kept(
    _ elements: [RuntimeValue], _ targets: [String], _ condition: Expression?
  ) throws(TemplateFailure) -> [RuntimeValue] {
    guard let condition else { return elements }
    var kept: [RuntimeValue] = []
    for element in elements {
      let isKept = try inNewScope { () throws(TemplateFailure) in
        try bind(targets, to: element)
        return try evaluate(condition).isTrue
      }
      if isKept { kept.append(element) }
    }
    return kept
  }

  private func bind(_ names: [String], to element: RuntimeValue) throws(TemplateFailure) {
    guard names.count > 1 else {
      scope.values[names[0]] = element
      return
    }
    try budget.step(names.count)
    let parts = try budget.elements(element)
    guard parts.count == names.count else {
      throw TemplateFailure("\(parts.count) values for \(names.count) loop variables")
    }
    for (name, part) in zip(names, parts) { scope.values[name] = part }
  }

  private func assign(_ value: RuntimeValue, to targets: [Statement.Target]) throws(TemplateFailure) {
    guard targets.count != 1 else { return try assign(value, to: targets[0]) }
    let elements = try budget.elements(value)
    guard elements.count == targets.count else {
      throw TemplateFailure("\(elements.count) values for \(targets.count) names")
    }
    for (target, element) in zip(targets, elements) { try assign(element, to: target) }
  }

  private func assign(_ value: RuntimeValue, to target: Statement.Target) throws(TemplateFailure) {
    try budget.step()
    var isNamespace = false
    if case .namespace = value { isNamespace = true }
    if !isNamespace { try budget.checkNesting(value, isKept: true) }
    switch target {
    case .name(let name): scope.values[name] = value
    case .attribute(let name, let attribute):
      guard !isNamespace else { throw TemplateFailure("a namespace cannot hold a namespace") }
      guard case .namespace(let namespace)? = try find(name) else {
        throw TemplateFailure("'\(name).\(attribute)' can only be set where '\(name)' is a namespace")
      }
      namespace.members.set(attribute, value)
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
        try bind(macro, arguments)
        return .string(try captured(macro.body))
      }
    }
  }

  /// Sets a macro's parameters in the current scope.
  private func bind(_ macro: Statement.Macro, _ arguments: RuntimeArguments) throws(TemplateFailure) {
    try budget.step(macro.parameters.count + arguments.named.count)
    let known = Set(arguments.named.isEmpty ? [] : macro.parameters.map(\.name))
    for argument in arguments.named where argument.name != "caller" && !known.contains(argument.name) {
      throw TemplateFailure("the macro '\(macro.name)' has no parameter '\(argument.name)'")
    }
    let named = Dictionary(arguments.named.map { ($0.name, $0.value) }) { first, _ in first }
    for (index, parameter) in macro.parameters.enumerated() {
      let isPositional = index < arguments.positional.count
      if let given = isPositional ? arguments.positional[index] : named[parameter.name] {
        scope.values[parameter.name] = given
      } else if let fallback = parameter.fallback {
        scope.values[parameter.name] = try evaluate(fallback)
      } else {
        scope.values[parameter.name] = .undefined("the parameter '\(parameter.name)' was not given")
      }
    }
    if let caller = named["caller"] { scope.values["caller"] = caller }
  }
}
