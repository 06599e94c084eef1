import Foundation

/// A value given to a chat template: JSON, with an object's members in order.
public enum TemplateValue: Sendable, Equatable {
  /// One member of an object.
  public struct Member: Sendable, Equatable {
    /// The member's name.
    public var key: String
    /// The member's value.
    public var value: TemplateValue

    /// A member.
    public init(key: String, value: TemplateValue) {
      self.key = key
      self.value = value
    }
  }

  /// `none` in the template.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number.
  case integer(Int)
  /// Any other number.
  case number(Double)
  /// Text.
  case string(String)
  /// A list.
  case array([TemplateValue])
  /// A dictionary in the order of its members.
  case object([Member])

  /// Reads a JSON document.
  ///
  /// - Throws: `ChatTemplateError.invalidValue` for text that is not JSON.
  public init(json: Data) throws(ChatTemplateError) {
    let node: JSONNode
    do {
      node = try JSONNode(json, file: "value")
    } catch {
      throw .invalidValue(reason: error.description)
    }
    self.init(node)
  }

  init(_ node: JSONNode) {
    switch node {
    case .null: self = .null
    case .bool(let bool): self = .bool(bool)
    case .integer(let integer): self = .integer(integer)
    case .number(let number): self = .number(number)
    case .string(let string): self = .string(string)
    case .array(let array): self = .array(array.map(TemplateValue.init))
    case .object(let members):
      self = .object(members.map { Member(key: $0.key, value: TemplateValue($0.value)) })
    }
  }
}

/// One message of a conversation.
public struct ChatMessage: Sendable, Equatable {
  /// Who speaks: `system`, `user`, `assistant` or what else the template knows.
  public var role: String
  /// What is said. Some templates also take a list of parts here.
  public var content: TemplateValue
  /// Further members, such as `tool_calls` or `name`.
  public var extra: [TemplateValue.Member]

  /// A message of text.
  public init(role: String, content: String) {
    self.init(role: role, content: .string(content))
  }

  /// A message with any content and further members.
  public init(role: String, content: TemplateValue, extra: [TemplateValue.Member] = []) {
    self.role = role
    self.content = content
    self.extra = extra
  }

  /// A message from a JSON object with `role` and, unless null, `content`.
  ///
  /// - Throws: `ChatTemplateError.invalidValue` without a role.
  public init(_ value: TemplateValue) throws(ChatTemplateError) {
    guard case .object(let members) = value,
      case .string(let role)? = members.last(where: { $0.key == "role" })?.value
    else { throw .invalidValue(reason: "a message must be an object with a 'role'") }
    self.role = role
    content = members.last { $0.key == "content" }?.value ?? .null
    extra = members.filter { $0.key != "role" && $0.key != "content" }
  }

  var value: TemplateValue {
    .object(
      [.init(key: "role", value: .string(role)), .init(key: "content", value: content)] + extra)
  }
}
