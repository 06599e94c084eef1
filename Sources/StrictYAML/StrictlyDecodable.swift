/// A type that can be decoded from a mapping in a YAML file.
package protocol StrictlyDecodable {
  /// Decodes and validates the value.
  ///
  /// - Throws: `FieldError` for a field that is unknown, missing or invalid.
  init(_ field: Field) throws(FieldError)
}

extension StrictlyDecodable {
  /// Reads the text of a YAML file; `file` is its name in messages.
  ///
  /// - Throws: `FieldError` if it is not YAML, and what `init(_:)` throws.
  package init(yaml: String, file: String) throws(FieldError) {
    try self.init(Field(yaml: yaml, file: file))
  }

  /// Reads a YAML file.
  ///
  /// - Parameters:
  ///   - path: the file, in UTF-8.
  ///   - kind: what the file should be, for error messages, such as `a hosts file in YAML`.
  /// - Throws: `FieldError` if it cannot be read, and what `init(yaml:file:)` throws.
  package init(contentsOf path: String, called kind: String) throws(FieldError) {
    try self.init(yaml: StrictFields.text(ofFile: path, called: kind), file: path)
  }
}

/// Decoding from another format, such as JSON, makes the same checks.
extension Decodable where Self: StrictlyDecodable {
  package init(from decoder: any Decoder) throws {
    let path = decoder.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
    try self.init(
      Field(file: "JSON", path: path.joined(separator: "."), node: try YAMLNode(from: decoder)))
  }
}
