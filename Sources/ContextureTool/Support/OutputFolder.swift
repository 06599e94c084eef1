import Foundation
import InputErrors
import SafeFiles

/// A folder that a command creates, with `AtomicFolder`.
enum OutputFolder {
  /// Refuses a path that already has contents, before any work is done.
  static func refuseContents(_ path: String, option: String = "--out") throws {
    guard let kind = try FileKind.of(path) else { return }
    guard kind == .folder else {
      throw Refusal(path, "is \(kind.text), not a folder", "give \(option) another folder")
    }
    let contents: [String]
    do { contents = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
      throw SystemError.describe(error, path: path, action: "list the folder")
    }
    guard contents.isEmpty else {
      throw Refusal(
        path, "is not empty (it holds \(contents.sorted()[0]))",
        "give \(option) a new or empty folder, or remove this one")
    }
  }
}
