import Foundation

extension Workflow {
  /// The largest workflow file that is read, in bytes.
  static let maximumFileSize = 4 << 20

  /// Reads a workflow file.
  ///
  /// - Parameters:
  ///   - path: the file, YAML in UTF-8.
  ///   - overrides: values set from outside, as `applying(overrides:)` takes them.
  /// - Throws: `WorkflowError` when the file cannot be read or anything in it is not as it must be.
  public init(contentsOf path: String, overrides: [String] = []) throws(WorkflowError) {
    func refused(_ problem: String, _ remedy: String) -> WorkflowError {
      WorkflowError(file: path, origin: nil, field: nil, problem: problem, remedy: remedy)
    }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw refused("there is no such file", "check the path")
    }
    guard !isFolder.boolValue else { throw refused("is a folder", "name the YAML file in it") }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw refused("cannot be opened", "check the permissions")
    }
    defer { try? handle.close() }
    let bytes: Data
    do {
      bytes = try handle.read(upToCount: Self.maximumFileSize + 1) ?? Data()
    } catch {
      throw refused("cannot be read (\(error.localizedDescription))", "check the file")
    }
    guard bytes.count <= Self.maximumFileSize else {
      throw refused("is larger than \(Self.maximumFileSize >> 20) MiB", "name a workflow's YAML file")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw refused("is not UTF-8 text", "name a workflow's YAML file, saved as UTF-8")
    }
    try self.init(yaml: text, file: path, overrides: overrides)
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
