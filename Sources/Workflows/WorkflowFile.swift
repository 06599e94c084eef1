import Foundation

extension Workflow {
  /// Reads a workflow file.
  ///
  /// - Parameters:
  ///   - path: the file, YAML in UTF-8.
  ///   - overrides: values set from outside, as `applying(overrides:)` takes them.
  /// - Throws: `WorkflowError` when the file cannot be read or anything in it is not as it must be.
  public init(contentsOf path: String, overrides: [String] = []) throws(WorkflowError) {
    let text = try StrictFields.text(ofFile: path, called: "a workflow's YAML file")
    try self.init(yaml: text, file: path, overrides: overrides)
  }

  /// The inputs that each task names.
  public var inputsByTask: [String: [String]] {
    Dictionary(tasks.map { ($0.name, $0.inputs) }, uniquingKeysWith: { $1 })
  }

  /// The folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`, as a path that can be opened.
  public var dataFolder: String { resolved(data) }

  /// A path written in the workflow, seen from the current folder: relative ones count from the workflow
  /// file's folder.
  public func resolved(_ path: String) -> String {
    guard !path.hasPrefix("/") else { return path }
    guard let slash = file.lastIndex(of: "/") else { return path }
    return String(file[...slash]) + path
  }
}
