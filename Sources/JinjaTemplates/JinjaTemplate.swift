import StrictJSON

/// A Jinja template, which renders variables to text.
///
/// Implements the subset of Jinja that models' chat templates use, with the settings of Transformers:
/// `trim_blocks`, `lstrip_blocks`, break and continue, `tojson` without HTML escapes, `raise_exception`.
///
/// `strftime_now` is undefined, so rendering does not depend on the clock; templates check for it and use a
/// `date_string` variable instead. Templates come from untrusted files: they can only compute text, and their
/// depth and output size are limited.
package struct JinjaTemplate: Sendable {
  private let body: [Statement]

  /// Parses a template.
  ///
  /// - Throws: `TemplateError.syntax`, or `.unsupported` for Jinja statements that are not implemented.
  package init(source: String) throws(TemplateError) {
    let segments = try TemplateLexer.segments(of: source)
    var parser = TemplateParser(segments: segments)
    body = try parser.template()
  }

  /// Renders the template with `variables`.
  ///
  /// - Throws: `TemplateError.raised` if the template calls `raise_exception`; `.evaluation` or
  ///   `.unsupported` if rendering fails.
  package func render(_ variables: [String: JSONValue]) throws(TemplateError) -> String {
    let interpreter = TemplateInterpreter(context: variables)
    return try interpreter.render(body)
  }
}
