import JinjaTemplates
import StrictJSON

/// A model's chat template: renders a conversation in the text format on which the model was trained.
package struct ChatTemplate: Sendable {
  /// The template's source.
  package let source: String
  private let template: JinjaTemplate

  /// Parses a template.
  ///
  /// - Throws: `TemplateError.syntax`, or `.unsupported` for Jinja statements that are not implemented.
  package init(source: String) throws(TemplateError) {
    self.source = source
    template = try JinjaTemplate(source: source)
  }

  /// Renders a conversation.
  ///
  /// - Parameters:
  ///   - messages: in order.
  ///   - addGenerationPrompt: whether the text ends with the start of the assistant's turn.
  ///   - specialTokens: by the template's names: `bos_token`, `eos_token`, …
  ///   - variables: further variables of the template, such as `tools` or `date_string`. They take
  ///     precedence.
  /// - Throws: `TemplateError.raised` if the template refuses the conversation; `.evaluation` if rendering
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
