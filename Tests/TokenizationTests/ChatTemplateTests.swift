import JinjaTemplates
import StrictJSON
import Testing
import Tokenization

@Suite("Chat templates")
struct ChatTemplateTests {
  @Test
  func messagesAndVariables() throws {
    let template = try ChatTemplate(
      source:
        "{{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }}{{ m.name }};{% endfor %}{{ more }}"
    )
    let named = ChatMessage(
      role: "tool", content: .array([.integer(1), .null]), extra: [.init(key: "name", value: .string("n"))])
    let text = try template.render(
      messages: [ChatMessage(role: "user", content: "Hi"), named], addGenerationPrompt: false,
      specialTokens: ["bos_token": "<s>"], variables: ["more": .number(0.5)])
    #expect(text == "<s>user:Hi;tool:[1, None]n;0.5")
    #expect(throws: TemplateError.self) { try ChatMessage(.object([])) }
  }
}
