import Foundation

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

  func evaluate(_ expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .constant(let value): return RuntimeValue(value)
    case .name(let name): return scope.find(name) ?? .undefined("'\(name)' is undefined")
    default: return try deeper { () throws(TemplateFailure) in try evaluateParts(of: expression) }
    }
  }

  /// Evaluates every kind of expression except constants and names.
  private func evaluateParts(of expression: Expression) throws(TemplateFailure) -> RuntimeValue {
    switch expression {
    case .constant, .name: return try evaluate(expression)
    case .list(let elements): return .list(try evaluate(elements))
    case .tuple(let elements): return .tuple(try evaluate(elements))
    case .dictionary(let members):
      var mapping = RuntimeValue.Mapping()
      for member in members { mapping.set(try evaluate(member.key), try evaluate(member.value)) }
      return .mapping(mapping)
    case .attribute(let object, let name): return try attribute(name, of: try evaluate(object))
    case .item(let object, let key): return try item(try evaluate(key), of: try evaluate(object))
    case .slice(let object, let start, let stop, let step):
      return try slice(
        try evaluate(object), try bound(start), try bound(stop), step: try bound(step) ?? 1)
    case .call(let callee, let arguments):
      return try call(try evaluate(callee), try evaluate(arguments))
    case .filter(let value, let name, let arguments):
      return try filter(try evaluate(value), name, try evaluate(arguments))
    case .test(let value, let name, let arguments):
      return .boolean(try test(try evaluate(value), name, try evaluate(arguments)))
    case .not(let value): return .boolean(!(try evaluate(value).isTrue))
    case .sign(let value, let isNegative): return try signed(try evaluate(value), isNegative)
    case .and(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? try evaluate(right) : left
    case .or(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? left : try evaluate(right)
    case .arithmetic(let left, let operation, let right):
      return try TemplateArithmetic.apply(operation, try evaluate(left), try evaluate(right))
    case .comparison(let first, let rest):
      var left = try evaluate(first)
      for (comparison, operand) in rest {
        let right = try evaluate(operand)
        guard try holds(left, comparison, right) else { return .boolean(false) }
        left = right
      }
      return .boolean(true)
    case .conditional(let condition, let then, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(then) }
      guard let otherwise else { return .undefined("the inline 'if' has no 'else'") }
      return try evaluate(otherwise)
    }
  }

  func call(_ callee: RuntimeValue, _ arguments: RuntimeArguments) throws(TemplateFailure) -> RuntimeValue {
    guard case .function(let function) = callee else {
      throw TemplateFailure("\(callee.kind) cannot be called")
    }
    return try function.body(arguments)
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
    case .equal: return left.equals(right)
    case .notEqual: return !left.equals(right)
    case .less: return try left.isLess(than: right)
    case .greater: return try right.isLess(than: left)
    case .lessOrEqual: return try left.isAtMost(right)
    case .greaterOrEqual: return try right.isAtMost(left)
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
      return PythonText.contains(text, part)
    case .mapping(let mapping): return mapping[value] != nil
    default: return try container.elements().contains { $0.equals(value) }
    }
  }

  /// `object.name`: looks for a method or attribute first, then for an item.
  func attribute(_ name: String, of object: RuntimeValue) throws(TemplateFailure) -> RuntimeValue {
    switch object {
    case .undefined(let what): throw TemplateFailure("\(what); its attribute '\(name)' was requested")
    case .mapping(let mapping):
      if let method = TemplateMethods.method(name, of: mapping) { return method }
      return mapping[name] ?? .undefined("the dictionary has no '\(name)'")
    case .namespace(let namespace):
      return namespace.members[name] ?? .undefined("the namespace has no '\(name)'")
    case .loop(let loop): return loop.attribute(name) ?? .undefined("'loop' has no '\(name)'")
    case .string(let text):
      return TemplateMethods.method(name, of: text) ?? .undefined("a string has no '\(name)' here")
    case .list(let elements), .tuple(let elements):
      return TemplateMethods.method(name, of: elements) ?? .undefined("a list has no '\(name)' here")
    default: return .undefined("\(object.kind) has no '\(name)'")
    }
  }

  /// `object[key]`: looks for an item first, then for a method or attribute.
  func item(_ key: RuntimeValue, of object: RuntimeValue) throws(TemplateFailure) -> RuntimeValue {
    switch object {
    case .undefined(let what): throw TemplateFailure("\(what); its item \(key.representation) was requested")
    case .mapping(let mapping):
      if let value = mapping[key] { return value }
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
        let scalars = Array(text.unicodeScalars)
        let place = index < 0 ? index + scalars.count : index
        guard scalars.indices.contains(place) else { return .undefined("the string has no item \(index)") }
        return .string(String(scalars[place]))
      }
    default: break
    }
    if case .string(let name) = key { return try attribute(name, of: object) }
    return .undefined("\(object.kind) has no item \(key.representation)")
  }

  private func slice(
    _ object: RuntimeValue, _ start: Int?, _ stop: Int?, step: Int
  ) throws(TemplateFailure) -> RuntimeValue {
    guard step != 0 else { throw TemplateFailure("a slice's step cannot be 0") }
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

/// Python's arithmetic on template values. Integers have 64 bits; overflow is an error.
enum TemplateArithmetic {
  static func apply(
    _ operation: Arithmetic, _ left: RuntimeValue, _ right: RuntimeValue
  ) throws(TemplateFailure) -> RuntimeValue {
    if operation == .join { return .string(left.text + right.text) }
    if let left = left.whole, let right = right.whole { return try apply(operation, left, right) }
    if let left = left.number, let right = right.number { return try apply(operation, left, right) }
    switch (operation, left, right) {
    case (.add, .string(let left), .string(let right)): return .string(left + right)
    case (.add, .list(let left), .list(let right)): return .list(left + right)
    case (.add, .tuple(let left), .tuple(let right)): return .tuple(left + right)
    case (.multiply, .string(let text), let count), (.multiply, let count, .string(let text)):
      guard let count = count.whole else { break }
      guard count <= 0 || text.utf8.count <= TemplateInterpreter.longestOutput / count else {
        throw TemplateFailure("the repeated text is too long")
      }
      return .string(String(repeating: text, count: max(count, 0)))
    case (.multiply, .list(let elements), let count), (.multiply, let count, .list(let elements)):
      guard let count = count.whole else { break }
      guard count <= 0 || elements.count <= TemplateInterpreter.longestRange / count else {
        throw TemplateFailure("the repeated list is too long")
      }
      return .list((0..<max(count, 0)).flatMap { _ in elements })
    case (.remainder, .string, _): throw .unsupported("formatting with '%'")
    default: break
    }
    throw TemplateFailure("'\(operation.rawValue)' does not work on \(left.kind) and \(right.kind)")
  }

  private static func apply(
    _ operation: Arithmetic, _ left: Int, _ right: Int
  ) throws(TemplateFailure) -> RuntimeValue {
    var result: (partialValue: Int, overflow: Bool)
    switch operation {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide: return try apply(operation, Double(left), Double(right))
    case .floorDivide, .remainder:
      guard right != 0 else { throw TemplateFailure("division by zero") }
      let (quotient, overflow) = left.dividedReportingOverflow(by: right)
      guard !overflow else { throw TemplateFailure("a number is too large") }
      let remainder = left - quotient * right
      let isOff = remainder != 0 && (remainder < 0) != (right < 0)
      return .integer(
        operation == .floorDivide ? quotient - (isOff ? 1 : 0) : remainder + (isOff ? right : 0))
    case .power:
      guard right >= 0 else { return try apply(operation, Double(left), Double(right)) }
      guard left.magnitude > 1 else {
        let isOne = left == 1 || right == 0 || (left == -1 && right % 2 == 0)
        return .integer(isOne ? 1 : left)
      }
      result = (1, false)
      // 64 factors with a magnitude of at least 2 overflow.
      for _ in 0..<min(right, 64) where !result.overflow {
        result = result.partialValue.multipliedReportingOverflow(by: left)
      }
    case .join: preconditionFailure("joining is not arithmetic")
    }
    guard !result.overflow else { throw TemplateFailure("a number is too large") }
    return .integer(result.partialValue)
  }

  private static func apply(
    _ operation: Arithmetic, _ left: Double, _ right: Double
  ) throws(TemplateFailure) -> RuntimeValue {
    switch operation {
    case .add: return .double(left + right)
    case .subtract: return .double(left - right)
    case .multiply: return .double(left * right)
    case .power: return .double(pow(left, right))
    case .divide, .floorDivide, .remainder:
      guard right != 0 else { throw TemplateFailure("division by zero") }
      if operation == .divide { return .double(left / right) }
      var remainder = fmod(left, right)
      if remainder != 0, (remainder < 0) != (right < 0) { remainder += right }
      return .double(operation == .remainder ? remainder : ((left - remainder) / right).rounded())
    case .join: preconditionFailure("joining is not arithmetic")
    }
  }
}
