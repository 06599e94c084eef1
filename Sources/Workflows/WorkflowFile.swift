import Foundation
import StrictYAML

extension Workflow {
  /// Reads a workflow file.
  ///
  /// - Parameters:
  ///   - path: the YAML file, in UTF-8.
  ///   - overrides: values set from outside the file, in the format of `applying(overrides:)`.
  /// - Throws: `FieldError` if the file cannot be read or contains an error.
  package init(contentsOf path: String, overrides: [String] = []) throws(FieldError) {
    let text = try StrictFields.text(ofFile: path, called: "a workflow's YAML file")
    try self.init(yaml: text, file: path, overrides: overrides)
  }

  /// The folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`, as a path that can be opened.
  package var dataFolder: String { resolved(data) }

  /// The model, if it is a path, as one that can be opened. A path in the file counts from its folder, one from
  /// an override, like every other path of a command line, from the current folder.
  package var modelPath: String { isModelOverridden ? model : resolved(model) }

  /// A path from the workflow file, relative to the current folder. Relative paths in the file start at its
  /// folder.
  private func resolved(_ path: String) -> String {
    guard !path.hasPrefix("/") else { return path }
    guard let slash = file.lastIndex(of: "/") else { return path }
    return String(file[...slash]) + path
  }
}
