/// The functions available in every template.
enum TemplateGlobals {
  static var values: [String: RuntimeValue] {
    [
      "range": function("range", range),
      "namespace": function("namespace") { arguments throws(TemplateFailure) in
        let namespace = RuntimeValue.Namespace()
        for member in try members(arguments).entries { namespace.members[member.key.text] = member.value }
        return .namespace(namespace)
      },
      "dict": function("dict") { arguments throws(TemplateFailure) in .mapping(try members(arguments)) },
      "raise_exception": function("raise_exception") { arguments throws(TemplateFailure) in
        throw .raised(arguments.value(0, "message")?.text ?? "")
      },
    ]
  }

  private static func function(
    _ name: String, _ body: @escaping (RuntimeArguments) throws(TemplateFailure) -> RuntimeValue
  ) -> RuntimeValue {
    .function(RuntimeValue.Function(name, body))
  }

  private static func members(_ arguments: RuntimeArguments) throws(TemplateFailure) -> RuntimeValue.Mapping {
    var mapping = RuntimeValue.Mapping()
    if let first = arguments.positional.first {
      guard case .mapping(let given) = first else {
        throw TemplateFailure("a dictionary cannot be made from \(first.kind)")
      }
      mapping = given
    }
    for argument in arguments.named { mapping.set(.string(argument.name), argument.value) }
    return mapping
  }

  private static func range(_ arguments: RuntimeArguments) throws(TemplateFailure) -> RuntimeValue {
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
