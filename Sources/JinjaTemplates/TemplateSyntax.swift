import StrictJSON

/// An expression of a template.
indirect enum Expression: Sendable {
  case constant(JSONValue)
  case name(String)
  case list([Expression])
  case tuple([Expression])
  case dictionary([(key: Expression, value: Expression)])
  case attribute(Expression, String)
  case item(Expression, Expression)
  case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
  case call(Expression, CallArguments)
  case filter(Expression, String, CallArguments)
  case test(Expression, String, CallArguments)
  case not(Expression)
  case sign(Expression, isNegative: Bool)
  case and(Expression, Expression)
  case or(Expression, Expression)
  case arithmetic(Expression, Arithmetic, Expression)
  case comparison(Expression, [(comparison: Comparison, operand: Expression)])
  case conditional(Expression, then: Expression, else: Expression?)
}

/// The arguments of a call, filter or test.
struct CallArguments: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
}

enum Arithmetic: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case remainder = "%"
  case power = "**"
  case join = "~"
}

enum Comparison: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// A statement of a template and the line on which it starts.
struct Statement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(Expression)
    case branch([(condition: Expression, body: [Statement])], otherwise: [Statement])
    case loop(
      targets: [String], over: Expression, where: Expression?, body: [Statement], otherwise: [Statement])
    case leaveLoop(Leave)
    case set(targets: [Target], value: Expression)
    case setBlock(Target, filters: [FilterCall], body: [Statement])
    case macro(Macro)
    case callBlock(parameters: [Parameter], call: Expression, body: [Statement])
    case filterBlock([FilterCall], body: [Statement])
    case with([(name: String, value: Expression)], body: [Statement])
    case scope([Statement])
  }

  enum Leave: Sendable {
    case breakLoop, continueLoop
  }

  /// The target of `set`: a name, or an attribute of a namespace.
  enum Target: Sendable {
    case name(String)
    case attribute(String, String)
  }

  struct FilterCall: Sendable {
    var name: String
    var arguments: CallArguments
  }

  struct Parameter: Sendable {
    var name: String
    var fallback: Expression?
  }

  struct Macro: Sendable {
    var name: String
    var parameters: [Parameter]
    var body: [Statement]
  }

  var kind: Kind
  var line: Int
}
