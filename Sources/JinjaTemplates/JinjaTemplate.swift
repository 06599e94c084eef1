import StrictJSON

/// A template in Jinja: turns variables into text.
///
/// This interprets the part of Jinja that models' chat templates use, with the settings of Transformers:
/// `trim_blocks`, `lstrip_blocks`, break and continue, `tojson` without HTML escapes, `raise_exception`.
/// `strftime_now` is undefined, so that rendering never depends on the clock; templates test for it and take a
/// `date_string` variable. Templates come from files of unknown origin: they can compute text and nothing else, and depth
/// and size are limited.
package struct JinjaTemplate: Sendable {
  private let body: [Statement]

  /// Parses a template.
  ///
  /// - Throws: `TemplateError.syntax`, or `.unsupported` for statements of Jinja that are not implemented.
  package init(source: String) throws(TemplateError) {
    let segments = try TemplateLexer.segments(of: source)
    var parser = TemplateParser(segments: segments)
    body = try parser.template()
  }

  /// The text that the template makes of some variables.
  ///
  /// - Throws: `TemplateError.raised` if the template refuses them by `raise_exception`, `.evaluation` or `.unsupported`
  ///   if it fails.
  package func render(_ variables: [String: JSONValue]) throws(TemplateError) -> String {
    let interpreter = TemplateInterpreter(context: variables)
    return try interpreter.render(body)
  }
}
