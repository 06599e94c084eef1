extension TemplateInterpreter {
  /// Evaluates `value is name(arguments)`.
  func test(_ value: RuntimeValue, _ name: String, _ arguments: RuntimeArguments) throws(TemplateFailure)
    -> Bool
  {
    func operand() throws(TemplateFailure) -> RuntimeValue {
      guard let operand = arguments.positional.first ?? arguments.named.first?.value else {
        throw TemplateFailure("the test '\(name)' needs a value to compare with")
      }
      return operand
    }
    switch name {
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "none":
      guard case .none = value else { return false }
      return true
    case "boolean":
      guard case .boolean = value else { return false }
      return true
    case "true":
      guard case .boolean(true) = value else { return false }
      return true
    case "false":
      guard case .boolean(false) = value else { return false }
      return true
    case "integer":
      guard case .integer = value else { return false }
      return true
    case "float":
      guard case .double = value else { return false }
      return true
    case "number": return value.number != nil
    case "string":
      guard case .string = value else { return false }
      return true
    case "mapping":
      guard case .mapping = value else { return false }
      return true
    case "callable":
      guard case .function(let function) = value else { return false }
      return function.isDefined
    case "sequence":
      switch value {
      case .string, .list, .tuple, .mapping, .undefined: return true
      default: return false
      }
    case "iterable":
      switch value {
      case .string, .list, .tuple, .mapping, .loop, .undefined: return true
      default: return false
      }
    case "odd", "even":
      guard let whole = value.whole else { throw TemplateFailure("\(value.kind) is neither odd nor even") }
      return (whole % 2 == 0) == (name == "even")
    case "divisibleby":
      guard let whole = value.whole, let divisor = try operand().whole, divisor != 0 else {
        throw TemplateFailure("'divisibleby' needs whole numbers, the second not 0")
      }
      return divisor == -1 || whole % divisor == 0
    case "lower", "upper":
      let text = try budget.text(value)
      try budget.charge(text.utf8.count)
      let cased = text.unicodeScalars.filter(\.properties.isCased)
      return !cased.isEmpty
        && cased.allSatisfy { name == "upper" ? $0.properties.isUppercase : $0.properties.isLowercase }
    case "eq", "equalto", "==": return try budget.equal(value, try operand())
    case "ne", "!=": return try !budget.equal(value, try operand())
    case "lt", "lessthan", "<": return try budget.less(value, try operand())
    case "gt", "greaterthan", ">": return try budget.less(try operand(), value)
    case "le", "<=": return try budget.atMost(value, try operand())
    case "ge", ">=": return try budget.atMost(try operand(), value)
    case "in": return try contains(try operand(), value)
    case "sameas":
      let other = try operand()
      switch (value, other) {
      case (.boolean(let left), .boolean(let right)): return left == right
      case (.boolean, _), (_, .boolean), (.integer, .double), (.double, .integer): return false
      default: return try budget.equal(value, other)
      }
    default: throw .unsupported("the test '\(name)'")
    }
  }
}
