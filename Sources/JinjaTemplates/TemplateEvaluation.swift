extension TemplateInterpreter {
  func evaluate(_ arguments: CallArguments) throws(TemplateFailure) -> RuntimeArguments {
    var result = RuntimeArguments()
    for argument in arguments.positional { result.positional.append(try evaluate(argument)) }
    for argument in arguments.named { result.named.append((argument.name, try evaluate(argument.value))) }
    return result
  }

  func evaluate(_ expressions: [Expression]) throws(TemplateFailure) -> [RuntimeValue] {
    var values: [RuntimeValue] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  /// Evaluates an expression. The kinds have functions of their own, because a function that handled all would use
  /// several kilobytes of the stack for each level of nesting.
  func evaluate(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    try budget.step()
    try enter()
    defer { leave() }
    switch expression {
    case .constant, .name: return try evaluateLeaf(expression)
    case .list, .tuple, .dictionary: return try evaluateCollection(expression)
    case .attribute, .item: return try evaluateMember(expression)
    case .slice: return try evaluateSlice(expression)
    case .call, .filter, .test: return try evaluateApplication(expression)
    case .not, .sign: return try evaluateSign(expression)
    case .and, .or, .conditional: return try evaluateChoice(expression)
    case .arithmetic, .comparison: return try evaluateOperation(expression)
    }
  }

  private func evaluateLeaf(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .constant(let value): return RuntimeValue(value)
    case .name(let name): return try find(name) ?? .undefined("'\(TemplateFailure.shown(name))' is undefined")
    default: preconditionFailure("only constants and names are evaluated here")
    }
  }

  private func evaluateCollection(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .list(let elements): return try checked(.list(try evaluate(elements)))
    case .tuple(let elements): return try checked(.tuple(try evaluate(elements)))
    case .dictionary(let members):
      var mapping = RuntimeValue.Mapping()
      for member in members {
        try budget.set(try evaluate(member.key), try evaluate(member.value), in: &mapping)
      }
      return try checked(.mapping(mapping))
    default: preconditionFailure("only collections are evaluated here")
    }
  }

  private func evaluateMember(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .attribute(let object, let name): return try attribute(name, of: try evaluate(object))
    case .item(let object, let key): return try item(try evaluate(key), of: try evaluate(object))
    default: preconditionFailure("only members are evaluated here")
    }
  }

  private func evaluateSlice(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    guard case .slice(let object, let start, let stop, let step) = expression else {
      preconditionFailure("only slices are evaluated here")
    }
    return try slice(try evaluate(object), try bound(start), try bound(stop), step: try bound(step) ?? 1)
  }

  private func evaluateApplication(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .call(let callee, let arguments): return try call(try evaluate(callee), try evaluate(arguments))
    case .filter(let value, let name, let arguments):
      return try filter(try evaluate(value), name, try evaluate(arguments))
    case .test(let value, let name, let arguments):
      return .boolean(try test(try evaluate(value), name, try evaluate(arguments)))
    default: preconditionFailure("only calls, filters and tests are evaluated here")
    }
  }

  private func evaluateSign(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .not(let value): return .boolean(!(try evaluate(value).isTrue))
    case .sign(let value, let isNegative): return try signed(try evaluate(value), isNegative)
    default: preconditionFailure("only signs are evaluated here")
    }
  }

  private func evaluateChoice(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .and(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? try evaluate(right) : left
    case .or(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? left : try evaluate(right)
    case .conditional(let condition, let then, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(then) }
      guard let otherwise else { return .undefined("the inline 'if' has no 'else'") }
      return try evaluate(otherwise)
    default: preconditionFailure("only choices are evaluated here")
    }
  }

  private func evaluateOperation(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .arithmetic(let left, let operation, let right):
      return try budget.apply(operation, try evaluate(left), try evaluate(right))
    case .comparison(let first, let rest):
      var left = try evaluate(first)
      for (comparison, operand) in rest {
        let right = try evaluate(operand)
        guard try holds(left, comparison, right) else { return .boolean(false) }
        left = right
      }
      return .boolean(true)
    default: preconditionFailure("only operations are evaluated here")
    }
  }

  func call(_ callee: RuntimeValue, _ arguments: RuntimeArguments) throws(TemplateFailure) -> RuntimeValue {
    guard case .function(let function) = callee else {
      throw TemplateFailure("\(callee.kind) cannot be called")
    }
    switch function.receiver {
    // Functions of a loop read nothing of its elements.
    case .loop?, nil: break
    case let receiver?: try budget.charge(receiver)
    }
    try budget.charge(arguments)
    let result = try function.body(arguments)
    try budget.charge(result)
    return result
  }

  /// A new list or dictionary, unless it is nested too deeply.
  private func checked(_ value: RuntimeValue) throws(TemplateFailure) -> RuntimeValue {
    try budget.charge(value)
    try budget.checkNesting(value)
    return value
  }

  private func bound(_ expression: Expression?) throws(TemplateFailure) -> Int? {
    guard let expression else { return nil }
    let value = try evaluate(expression)
    if case .none = value { return nil }
    guard let whole = value.whole else { throw TemplateFailure("a slice cannot use \(value.kind)") }
    return whole
  }

  private func signed(_ value: RuntimeValue, _ isNegative: Bool) throws(TemplateFailure) -> RuntimeValue {
    if case .double(let double) = value { return .double(isNegative ? -double : double) }
    guard let whole = value.whole, whole != .min else {
      throw TemplateFailure("\(value.kind) cannot be negated")
    }
    return .integer(isNegative ? -whole : whole)
  }

  private func holds(
    _ left: RuntimeValue, _ comparison: Comparison, _ right: RuntimeValue
  ) throws(TemplateFailure) -> Bool {
    switch comparison {
    case .equal: return try budget.equal(left, right)
    case .notEqual: return try !budget.equal(left, right)
    case .less: return try budget.less(left, right)
    case .greater: return try budget.less(right, left)
    case .lessOrEqual: return try budget.atMost(left, right)
    case .greaterOrEqual: return try budget.atMost(right, left)
    case .isIn: return try contains(right, left)
    case .isNotIn: return !(try contains(right, left))
    }
  }

  /// Python's `in`.
  func contains(_ container: RuntimeValue, _ value: RuntimeValue) throws(TemplateFailure) -> Bool {
    switch container {
    case .string(let text):
      guard case .string(let part) = value else {
        throw TemplateFailure("only a string can be 'in' a string, not \(value.kind)")
      }
      try budget.charge(text.utf8.count + part.utf8.count)
      return PythonText.contains(text, part)
    case .mapping(let mapping): return try budget.value(value, in: mapping) != nil
    default: return try budget.index(of: value, in: try budget.elements(container)) != nil
    }
  }

  /// `object.name`: looks for a method or attribute first, then for an item.
  func attribute(_ name: String, of object: RuntimeValue) throws(TemplateFailure) -> RuntimeValue {
    try budget.charge(name.utf8.count)
    if let method = method(name, of: object) { return method }
    let shown = TemplateFailure.shown(name)
    switch object {
    case .undefined(let what): throw TemplateFailure("\(what); its attribute '\(shown)' was requested")
    case .mapping(let mapping): return mapping[name] ?? .undefined("the dictionary has no '\(shown)'")
    case .namespace(let namespace):
      return namespace.members[name] ?? .undefined("the namespace has no '\(shown)'")
    case .loop: return .undefined("'loop' has no '\(shown)'")
    case .string: return .undefined("a string has no '\(shown)' here")
    case .list, .tuple: return .undefined("a list has no '\(shown)' here")
    default: return .undefined("\(object.kind) has no '\(shown)'")
    }
  }

  /// A method of a value, or an attribute of `loop`.
  private func method(_ name: String, of object: RuntimeValue) -> RuntimeValue? {
    // Comparing other texts with the known names can take long: Swift compares them by characters.
    guard name.utf8.count <= 32, name.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    switch object {
    case .mapping(let mapping): return TemplateMethods.method(name, of: mapping, budget)
    case .loop(let loop): return loop.attribute(name)
    case .string(let text): return TemplateMethods.method(name, of: text, budget)
    case .list(let elements), .tuple(let elements):
      return TemplateMethods.method(name, of: object, elements, budget)
    default: return nil
    }
  }

  /// `object[key]`: looks for an item first, then for a method or attribute.
  func item(_ key: RuntimeValue, of object: RuntimeValue) throws(TemplateFailure) -> RuntimeValue {
    switch object {
    case .undefined(let what):
      let shown = TemplateFailure.shown(try budget.representation(key))
      throw TemplateFailure("\(what); its item \(shown) was requested")
    case .mapping(let mapping):
      if let value = try budget.value(key, in: mapping) { return value }
    case .list(let elements), .tuple(let elements):
      if let index = key.whole {
        let place = index < 0 ? index + elements.count : index
        guard elements.indices.contains(place) else {
          return .undefined("the list of \(elements.count) has no item \(index)")
        }
        return elements[place]
      }
    case .string(let text):
      if let index = key.whole {
        try budget.charge(text.utf8.count)
        guard let scalar = PythonText.scalar(index, of: text) else {
          return .undefined("the string has no item \(index)")
        }
        return .string(String(scalar))
      }
    default: break
    }
    if case .string(let name) = key { return try attribute(name, of: object) }
    let shown = TemplateFailure.shown(try budget.representation(key))
    return .undefined("\(object.kind) has no item \(shown)")
  }

  private func slice(
    _ object: RuntimeValue, _ start: Int?, _ stop: Int?, step: Int
  ) throws(TemplateFailure) -> RuntimeValue {
    guard step != 0 else { throw TemplateFailure("a slice's step cannot be 0") }
    // The object and, at most as large, the slice.
    for _ in 0..<2 { try budget.charge(object) }
    func places(_ count: Int) -> [Int] {
      func clamp(_ bound: Int) -> Int {
        let place = bound < 0 ? max(bound, -count - 1) + count : min(bound, count)
        return step > 0 ? min(max(place, 0), count) : min(max(place, -1), count - 1)
      }
      let first = start.map(clamp) ?? (step > 0 ? 0 : count - 1)
      let end = stop.map(clamp) ?? (step > 0 ? count : -1)
      return Array(stride(from: first, to: end, by: step))
    }
    switch object {
    case .list(let elements): return .list(places(elements.count).map { elements[$0] })
    case .tuple(let elements): return .tuple(places(elements.count).map { elements[$0] })
    case .string(let text):
      let scalars = Array(text.unicodeScalars)
      var result = String.UnicodeScalarView()
      for place in places(scalars.count) { result.append(scalars[place]) }
      return .string(String(result))
    default: throw TemplateFailure("\(object.kind) cannot be sliced")
    }
  }
}
