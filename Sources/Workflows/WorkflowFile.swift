import Foundation
import StrictYAML

extension Workflow {
  /// Reads a workflow file.
  ///
  /// - Parameters:
  ///   - path: the file, YAML in UTF-8.
  ///   - overrides: values set from outside, as `applying(overrides:)` takes them.
  /// - Throws: `FieldError` when the file cannot be read or anything in it is not as it must be.
  package init(contentsOf path: String, overrides: [String] = []) throws(FieldError) {
    let text = try StrictFields.text(ofFile: path, called: "a workflow's YAML file")
    try self.init(yaml: text, file: path, overrides: overrides)
  }

  /// The folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`, as a path that can be opened.
  package var dataFolder: String { resolved(data) }

  /// A path written in the workflow, seen from the current folder: relative ones count from the workflow
  /// file's folder.
  package func resolved(_ path: String) -> String {
    guard !path.hasPrefix("/") else { return path }
    guard let slash = file.lastIndex(of: "/") else { return path }
    return String(file[...slash]) + path
  }
}
