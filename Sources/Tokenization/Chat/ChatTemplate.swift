/// A model's chat template: turns a conversation into the text the model was trained on.
///
/// Templates are written in Jinja. This interprets the part of it that models' templates use, with the
/// settings of Transformers: `trim_blocks`, `lstrip_blocks`, break and continue, `tojson` without HTML
/// escapes, `raise_exception`. `strftime_now` is undefined, so that rendering never depends on the clock;
/// templates test for it and take a `date_string` variable. Templates come from files of unknown origin: they
/// can compute text and nothing else, and depth and size are limited.
public struct ChatTemplate: Sendable {
  /// The template's source.
  public let source: String
  private let body: [Statement]

  /// Parses a template.
  ///
  /// - Throws: `ChatTemplateError.syntax`, or `.unsupported` for statements of Jinja that are not
  ///   implemented.
  public init(source: String) throws(ChatTemplateError) {
    self.source = source
    let segments = try TemplateLexer.segments(of: source)
    var parser = TemplateParser(segments: segments)
    body = try parser.template()
  }

  /// The text of a conversation.
  ///
  /// - Parameters:
  ///   - messages: in order.
  ///   - addGenerationPrompt: whether the text ends where the assistant begins to speak.
  ///   - specialTokens: by the template's names: `bos_token`, `eos_token`, …
  ///   - variables: what else the template knows: `tools`, `date_string`, …; these come first.
  /// - Throws: `ChatTemplateError.raised` where the template refuses the conversation, `.evaluation` where it
  ///   fails.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, specialTokens: [String: String] = [:],
    variables: [String: TemplateValue] = [:]
  ) throws(ChatTemplateError) -> String {
    var context: [String: TemplateValue] = specialTokens.mapValues(TemplateValue.string)
    context["messages"] = .array(messages.map(\.value))
    context["add_generation_prompt"] = .bool(addGenerationPrompt)
    context.merge(variables) { $1 }
    return try render(context)
  }

  /// The text with nothing but these variables.
  package func render(_ context: [String: TemplateValue]) throws(ChatTemplateError) -> String {
    let interpreter = TemplateInterpreter(context: context)
    return try interpreter.render(body)
  }
}
