import Foundation
import InputErrors

/// A file that a command writes when its work is done.
enum OutputFile {
  /// Refuses a path that could not be written, before any work is done.
  static func check(_ path: String, option: String = "--out") throws(Refusal) {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw Refusal(path, "is a folder", "give \(option) a file name")
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw Refusal(path, "its folder does not exist", "create \(folder) first")
    }
  }
}
