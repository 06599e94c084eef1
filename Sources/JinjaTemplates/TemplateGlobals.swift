/// The functions available in every template.
struct TemplateGlobals {
  private let budget: TemplateBudget

  init(_ budget: TemplateBudget) {
    self.budget = budget
  }

  var values: [String: RuntimeValue] {
    [
      "range": function("range", range),
      "namespace": function("namespace") { arguments throws(TemplateFailure) in
        let namespace = RuntimeValue.Namespace()
        for member in try members(arguments).entries {
          try budget.checkNesting(member.value, isKept: true)
          try budget.set(.string(try budget.text(member.key)), member.value, in: &namespace.members)
        }
        return .namespace(namespace)
      },
      "dict": function("dict") { arguments throws(TemplateFailure) in
        let mapping = RuntimeValue.mapping(try members(arguments))
        try budget.checkNesting(mapping)
        return mapping
      },
      "raise_exception": function("raise_exception") { arguments throws(TemplateFailure) in
        throw .raised(try budget.text(arguments.value(0, "message") ?? .string("")))
      },
      "strftime_now": .function(
        RuntimeValue.Function("strftime_now", isDefined: false) { arguments throws(TemplateFailure) in
          guard let format = try arguments.string(0, "format") else {
            throw TemplateFailure("'strftime_now' needs a format")
          }
          return .string(try TemplateDate.text(format))
        }),
      "lipsum": unsupported("lipsum"),
      "cycler": unsupported("cycler"),
      "joiner": unsupported("joiner"),
    ]
  }

  private func function(
    _ name: String, _ body: @escaping (RuntimeArguments) throws(TemplateFailure) -> RuntimeValue
  ) -> RuntimeValue {
    .function(RuntimeValue.Function(name, body))
  }

  private func unsupported(_ name: String) -> RuntimeValue {
    function(name) { _ throws(TemplateFailure) in throw .unsupported("the function '\(name)'") }
  }

  private func members(_ arguments: RuntimeArguments) throws(TemplateFailure) -> RuntimeValue.Mapping {
    var mapping = RuntimeValue.Mapping()
    if let first = arguments.positional.first {
      guard case .mapping(let given) = first else {
        throw TemplateFailure("a dictionary cannot be made from \(first.kind)")
      }
      guard !arguments.named.isEmpty else { return given }
      // More members can make the dictionary hash all its keys again, so they count.
      for entry in given.entries { try budget.set(entry.key, entry.value, in: &mapping) }
    }
    for argument in arguments.named { mapping.set(argument.name, argument.value) }
    return mapping
  }

  private func range(_ arguments: RuntimeArguments) throws(TemplateFailure) -> RuntimeValue {
    var bounds: [Int] = []
    for (index, value) in arguments.positional.enumerated() {
      guard let whole = value.whole else {
        throw TemplateFailure("argument \(index + 1) of 'range' must be a whole number, not \(value.kind)")
      }
      bounds.append(whole)
    }
    guard (1...3).contains(bounds.count) else { throw TemplateFailure("'range' takes one to three numbers") }
    let start = bounds.count > 1 ? bounds[0] : 0
    let stop = bounds.count > 1 ? bounds[1] : bounds[0]
    let step = bounds.count > 2 ? bounds[2] : 1
    guard step != 0 else { throw TemplateFailure("the step of 'range' cannot be 0") }
    var values: [RuntimeValue] = []
    for value in stride(from: start, to: stop, by: step) {
      guard values.count < TemplateInterpreter.longestRange else {
        throw TemplateFailure("'range' gives more than \(TemplateInterpreter.longestRange) numbers")
      }
      values.append(.integer(value))
    }
    return .list(values)
  }
}
