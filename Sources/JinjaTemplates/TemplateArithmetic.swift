import Foundation

/// Python's arithmetic on template values. Integers have 64 bits; overflow is an error.
extension TemplateBudget {
  func apply(
    _ operation: Arithmetic, _ left: RuntimeValue, _ right: RuntimeValue
  ) throws(TemplateFailure) -> RuntimeValue {
    if operation == .join { return .string(try joined(try text(left), try text(right))) }
    if let left = left.whole, let right = right.whole { return try apply(operation, left, right) }
    if let left = left.number, let right = right.number { return try apply(operation, left, right) }
    switch (operation, left, right) {
    case (.add, .string(let left), .string(let right)): return .string(try joined(left, right))
    case (.add, .list(let left), .list(let right)): return .list(try joined(left, right))
    case (.add, .tuple(let left), .tuple(let right)): return .tuple(try joined(left, right))
    case (.multiply, .string(let text), let count), (.multiply, let count, .string(let text)):
      guard let count = count.whole else { break }
      try charge(count, times: text.utf8.count)
      return .string(String(repeating: text, count: text.isEmpty ? 0 : max(count, 0)))
    case (.multiply, .list(let elements), let count), (.multiply, let count, .list(let elements)):
      guard let count = count.whole else { break }
      return .list(try repeated(elements, count))
    case (.multiply, .tuple(let elements), let count), (.multiply, let count, .tuple(let elements)):
      guard let count = count.whole else { break }
      return .tuple(try repeated(elements, count))
    case (.remainder, .string, _): throw .unsupported("formatting with '%'")
    default: break
    }
    throw TemplateFailure("'\(operation.rawValue)' does not work on \(left.kind) and \(right.kind)")
  }

  private func joined(_ left: String, _ right: String) throws(TemplateFailure) -> String {
    try charge(left.utf8.count + right.utf8.count)
    return left + right
  }

  private func joined(
    _ left: [RuntimeValue], _ right: [RuntimeValue]
  ) throws(TemplateFailure) -> [RuntimeValue] {
    try charge((left.count + right.count) * Self.bytesPerElement)
    return left + right
  }

  private func repeated(_ elements: [RuntimeValue], _ count: Int) throws(TemplateFailure) -> [RuntimeValue] {
    guard count > 0, !elements.isEmpty else { return [] }
    try charge(count, times: elements.count * Self.bytesPerElement)
    return (0..<count).flatMap { _ in elements }
  }

  private func apply(
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

  private func apply(
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
