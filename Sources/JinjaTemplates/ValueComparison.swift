extension TemplateBudget {
  /// Python's `==`.
  func equal(_ left: RuntimeValue, _ right: RuntimeValue) throws(TemplateFailure) -> Bool {
    if let left = left.whole, let right = right.whole { return left == right }
    if let left = left.number, let right = right.number { return left == right }
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)):
      guard left.utf8.count == right.utf8.count else { return false }
      try charge(left.utf8.count)
      return left.utf8.elementsEqual(right.utf8)
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      return try equal(left, right)
    case (.mapping(let left), .mapping(let right)):
      guard left.entries.count == right.entries.count else { return false }
      for entry in left.entries {
        try charge(2 * Self.bytesPerElement)
        guard let other = try value(entry.key, in: right), try equal(entry.value, other) else { return false }
      }
      return true
    case (.namespace(let left), .namespace(let right)): return left === right
    case (.loop(let left), .loop(let right)): return left === right
    case (.function(let left), .function(let right)): return left === right
    default: return false
    }
  }

  /// Whether two lists have equal elements.
  func equal(_ left: [RuntimeValue], _ right: [RuntimeValue]) throws(TemplateFailure) -> Bool {
    guard left.count == right.count else { return false }
    for (a, b) in zip(left, right) {
      try charge(Self.bytesPerElement)
      guard try equal(a, b) else { return false }
    }
    return true
  }

  /// The index of the first element that equals `value`.
  func index(of value: RuntimeValue, in elements: [RuntimeValue]) throws(TemplateFailure) -> Int? {
    for (index, element) in elements.enumerated() {
      try charge(Self.bytesPerElement)
      if try equal(element, value) { return index }
    }
    return nil
  }

  /// Python's `<`: compares numbers with numbers, strings with strings, lists with lists.
  func less(_ left: RuntimeValue, _ right: RuntimeValue) throws(TemplateFailure) -> Bool {
    if let left = left.whole, let right = right.whole { return left < right }
    if let left = left.number, let right = right.number { return left < right }
    switch (left, right) {
    case (.string(let left), .string(let right)):
      try charge(min(left.utf8.count, right.utf8.count))
      return left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      for (a, b) in zip(left, right) {
        try charge(Self.bytesPerElement)
        if try !equal(a, b) { return try less(a, b) }
      }
      return left.count < right.count
    default: throw TemplateFailure("\(left.kind) and \(right.kind) cannot be ordered")
    }
  }

  /// Python's `<=`.
  func atMost(_ left: RuntimeValue, _ right: RuntimeValue) throws(TemplateFailure) -> Bool {
    if try equal(left, right) { return true }
    return try less(left, right)
  }
}
