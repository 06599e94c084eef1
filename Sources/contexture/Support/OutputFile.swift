import Foundation

/// A file that a command writes in the end.
enum OutputFile {
  /// Refuses a path that could not be written, before any work is done.
  static func check(_ path: String, option: String = "--out") throws(InputError) {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw InputError(place: path, problem: "is a folder", remedy: "give \(option) a file's name")
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw InputError(place: path, problem: "there is no folder for it", remedy: "make \(folder) first")
    }
  }
}
