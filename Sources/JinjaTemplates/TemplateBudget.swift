import StrictJSON

/// How much one rendering may compute, so that a template from a stranger ends soon and needs little memory.
///
/// A step is one statement, one expression, one turn of a loop, one name that is bound or one element that a filter
/// visits. Bytes count every text and list that an operation reads or produces, each time that it does. Both limits grow with the variables, so that long
/// conversations render. The chat templates of known models need some 10 steps and touch a text some 10 times
/// for each message.
final class TemplateBudget {
  static let fewestSteps = 500_000
  static let stepsPerInputByte = 16
  static let fewestBytes = 1 << 25
  static let bytesPerInputByte = 64
  /// The cost of an element of a list or dictionary.
  static let bytesPerElement = 16
  /// The maximum nesting of lists and dictionaries.
  static let deepestValue = 100

  private let allSteps: Int
  private let allBytes: Int
  private var steps: Int
  private var bytes: Int

  /// A budget for rendering `variables`.
  init(for variables: [String: JSONValue]) {
    var input = 0
    for (name, value) in variables { input += name.utf8.count + Self.size(value) }
    allSteps = Self.fewestSteps + Self.stepsPerInputByte * input
    allBytes = Self.fewestBytes + Self.bytesPerInputByte * input
    (steps, bytes) = (allSteps, allBytes)
  }

  private static func size(_ value: JSONValue) -> Int {
    switch value {
    case .string(let text): bytesPerElement + text.utf8.count
    case .array(let elements): elements.reduce(bytesPerElement) { $0 + size($1) }
    case .object(let members):
      members.reduce(bytesPerElement) { $0 + bytesPerElement + $1.key.utf8.count + size($1.value) }
    case .null, .bool, .integer, .number: bytesPerElement
    }
  }

  /// Counts steps.
  ///
  /// - Throws: a failure if there are none left.
  func step(_ count: Int = 1) throws(TemplateFailure) {
    guard count <= steps else {
      throw TemplateFailure("rendering takes more than \(allSteps) steps")
    }
    steps -= count
  }

  /// Counts bytes that are read or produced.
  ///
  /// - Throws: a failure if there are none left.
  func charge(_ count: Int) throws(TemplateFailure) {
    guard count <= bytes else {
      throw TemplateFailure("rendering works on more than \(allBytes) bytes")
    }
    bytes -= count
  }

  /// Counts `count` times `size` bytes before they are produced; negative counts are 0.
  func charge(_ count: Int, times size: Int) throws(TemplateFailure) {
    let (product, overflow) = max(count, 0).multipliedReportingOverflow(by: max(size, 0))
    try charge(overflow ? .max : product)
  }

  /// Counts a value that is read or was produced, without the contents of its elements.
  func charge(_ value: RuntimeValue) throws(TemplateFailure) {
    let size =
      switch value {
      case .string(let text): text.utf8.count
      case .list(let elements), .tuple(let elements): elements.count * Self.bytesPerElement
      case .mapping(let mapping): mapping.entries.count * 2 * Self.bytesPerElement
      case .loop(let loop): loop.elements.count * Self.bytesPerElement
      default: 0
      }
    try charge(size)
  }

  /// Counts the arguments of a call.
  func charge(_ arguments: RuntimeArguments) throws(TemplateFailure) {
    try chargeCount(of: arguments)
    for argument in arguments.positional { try charge(argument) }
    for argument in arguments.named { try charge(argument.value) }
  }

  /// Counts the arguments of a call without their contents: looking for a name visits them all.
  func chargeCount(of arguments: RuntimeArguments) throws(TemplateFailure) {
    try charge(arguments.positional.count + arguments.named.count, times: Self.bytesPerElement)
  }

  /// Checks that lists and dictionaries are nested at most ``deepestValue`` deep.
  ///
  /// - Parameter isKept: whether the value is assigned to a name. Namespaces cannot hold it then if it holds one:
  ///   they are the only values that could come to contain themselves.
  func checkNesting(
    _ value: RuntimeValue, isKept: Bool = false, levels: Int = TemplateBudget.deepestValue
  ) throws(TemplateFailure) {
    var inside: [RuntimeValue] = []
    switch value {
    case .list(let elements), .tuple(let elements): inside = elements
    case .mapping(let mapping):
      try charge(mapping.entries.count * Self.bytesPerElement)
      for entry in mapping.entries { try checkNesting(entry.key, isKept: isKept, levels: levels - 1) }
      inside = mapping.entries.map(\.value)
    case .loop(let loop): inside = loop.elements
    case .function(let function):
      if let receiver = function.receiver { inside = [receiver] }
    case .namespace(let namespace):
      guard !isKept else { throw TemplateFailure("a value that is kept cannot hold a namespace") }
      inside = [.mapping(namespace.members)]
    default: return
    }
    guard levels > 0 else {
      throw TemplateFailure("a value is nested more than \(Self.deepestValue) deep")
    }
    try charge(inside.count * Self.bytesPerElement)
    for element in inside { try checkNesting(element, isKept: isKept, levels: levels - 1) }
  }
}
