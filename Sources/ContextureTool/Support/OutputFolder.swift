import Foundation
import InputErrors

/// A folder that a command creates, with `AtomicFolder`.
enum OutputFolder {
  /// Refuses a path that already has contents, before any work is done.
  static func refuseContents(_ path: String, option: String = "--out") throws(Refusal) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
    guard isFolder.boolValue else {
      throw Refusal(
        path, "is a file, not a folder", "give \(option) another folder")
    }
    let contents = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? ["?"]
    guard contents.isEmpty else {
      throw Refusal(
        path, "is not empty (it holds \(contents.sorted()[0]))",
        "give \(option) a new or empty folder, or remove this one")
    }
  }
}
