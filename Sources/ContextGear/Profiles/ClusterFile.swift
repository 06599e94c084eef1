import StrictYAML

extension Cluster {
  /// Reads a cluster file.
  ///
  /// - Throws: `FieldError`, which names the file, the line, the field and the fix.
  package init(contentsOf path: String) throws(FieldError) {
    try self.init(contentsOf: path, called: "a cluster file in YAML")
  }

  /// The cluster as YAML; `init(yaml:file:)` reads it back as an equal value.
  package func yaml() throws -> String { try yamlText(of: self) }
}

extension ModelShape {
  /// Reads a model's shape from a YAML or JSON file.
  ///
  /// - Throws: `FieldError`, which names the file, the line, the field and the fix.
  package init(contentsOf path: String) throws(FieldError) {
    try self.init(contentsOf: path, called: "a model's sizes in YAML")
  }
}
