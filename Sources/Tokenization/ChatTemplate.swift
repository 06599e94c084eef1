import JinjaTemplates
import StrictJSON

/// A model's chat template: turns a conversation into the text the model was trained on.
package struct ChatTemplate: Sendable {
  /// The template's source.
  package let source: String
  private let template: JinjaTemplate

  /// Parses a template.
  ///
  /// - Throws: `TemplateError.syntax`, or `.unsupported` for statements of Jinja that are not implemented.
  package init(source: String) throws(TemplateError) {
    self.source = source
    template = try JinjaTemplate(source: source)
  }

  /// The text of a conversation.
  ///
  /// - Parameters:
  ///   - messages: in order.
  ///   - addGenerationPrompt: whether the text ends where the assistant begins to speak.
  ///   - specialTokens: by the template's names: `bos_token`, `eos_token`, …
  ///   - variables: what else the template knows: `tools`, `date_string`, …; these come first.
  /// - Throws: `TemplateError.raised` where the template refuses the conversation, `.evaluation` where it
  ///   fails.
  package func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, specialTokens: [String: String] = [:],
    variables: [String: JSONValue] = [:]
  ) throws(TemplateError) -> String {
    var context: [String: JSONValue] = specialTokens.mapValues(JSONValue.string)
    context["messages"] = .array(messages.map(\.value))
    context["add_generation_prompt"] = .bool(addGenerationPrompt)
    context.merge(variables) { $1 }
    return try template.render(context)
  }
}
