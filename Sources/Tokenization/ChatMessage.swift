import JinjaTemplates
import StrictJSON

/// One message of a conversation.
package struct ChatMessage: Sendable, Equatable {
  /// Who speaks: `system`, `user`, `assistant` or what else the template knows.
  package var role: String
  /// What is said. Some templates also take a list of parts here.
  package var content: JSONValue
  /// Further members, such as `tool_calls` or `name`.
  package var extra: [JSONValue.Member]

  /// A message of text.
  package init(role: String, content: String) {
    self.init(role: role, content: .string(content))
  }

  /// A message with any content and further members.
  package init(role: String, content: JSONValue, extra: [JSONValue.Member] = []) {
    self.role = role
    self.content = content
    self.extra = extra
  }

  /// A message from a JSON object with `role` and, unless null, `content`.
  ///
  /// - Throws: `TemplateError.invalidValue` without a role.
  package init(_ value: JSONValue) throws(TemplateError) {
    guard case .object(let members) = value,
      case .string(let role)? = members.last(where: { $0.key == "role" })?.value
    else { throw .invalidValue(reason: "a message must be an object with a 'role'") }
    self.role = role
    content = members.last { $0.key == "content" }?.value ?? .null
    extra = members.filter { $0.key != "role" && $0.key != "content" }
  }

  var value: JSONValue {
    .object(
      [.init(key: "role", value: .string(role)), .init(key: "content", value: content)] + extra)
  }
}
