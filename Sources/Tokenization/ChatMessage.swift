import JinjaTemplates
import StrictJSON

/// One message of a conversation.
package struct ChatMessage: Sendable, Equatable {
  /// The author: `system`, `user`, `assistant` or another role that the template supports.
  package var role: String
  /// The text. Some templates also accept a list of parts.
  package var content: JSONValue
  /// Additional members, such as `tool_calls` or `name`.
  package var extra: [JSONValue.Member]

  /// Creates a text message.
  package init(role: String, content: String) {
    self.init(role: role, content: .string(content))
  }

  package init(role: String, content: JSONValue, extra: [JSONValue.Member] = []) {
    self.role = role
    self.content = content
    self.extra = extra
  }

  /// Decodes a message from a JSON object with `role` and, unless it is null, `content`.
  ///
  /// - Throws: `TemplateError.invalidValue` if there is no role.
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
