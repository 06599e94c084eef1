import Foundation
import InputErrors
import SafeFiles

/// A file that a command writes when its work is done.
enum OutputFile {
  /// Refuses a path that could not be written, before any work is done. Pipes and devices are not opened.
  static func check(_ path: String, option: String = "--out") throws {
    if try FileKind.of(path) == .folder {
      throw Refusal(path, "is a folder", "give \(option) a file name")
    }
    guard case .replaced(let target, _) = try Destination(path) else { return }
    let folder = URL(fileURLWithPath: target).deletingLastPathComponent().path
    guard try FileKind.of(folder) == .folder else {
      throw Refusal(path, "its folder does not exist", "create \(folder) first")
    }
  }
}
