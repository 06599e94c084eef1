import StrictJSON

/// A Jinja template, which renders variables to text.
///
/// Implements the subset of Jinja that models' chat templates use, with the settings of Transformers:
/// `trim_blocks`, `lstrip_blocks`, break and continue, `tojson` without HTML escapes, `raise_exception`.
///
/// Rendering does not depend on the clock: the test `strftime_now is defined` fails, so that templates use a date of
/// their own, and a call without that test formats a fixed date. Templates come from untrusted files: they can only
/// compute text, and the size of their source, their depth, the steps they take and the bytes they work on are limited.
package struct JinjaTemplate: Sendable {
  /// The longest source, in UTF-8 bytes. The longest templates of known models have some 30 thousand.
  package static let longestSource = 1 << 20

  private let body: [Statement]

  /// Parses a template.
  ///
  /// - Throws: `TemplateError.syntax`, or `.unsupported` for Jinja statements that are not implemented.
  package init(source: String) throws(TemplateError) {
    guard source.utf8.count <= Self.longestSource else {
      throw .syntax(
        line: 1,
        reason:
          "a template of \(source.utf8.count) bytes is too long; use one of at most \(Self.longestSource)")
    }
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
