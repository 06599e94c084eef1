import Checkpoint
import Foundation
import Glibc

/// A folder that a command makes: it appears complete or not at all.
enum OutputFolder {
  /// Refuses a path that holds something already, before any work is done.
  static func refuseContents(_ path: String, option: String = "--out") throws(InputError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
    guard isFolder.boolValue else {
      throw InputError(
        place: path, problem: "is a file, not a folder", remedy: "give \(option) another folder")
    }
    let contents = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? ["?"]
    guard contents.isEmpty else {
      throw InputError(
        place: path, problem: "is not empty (it holds \(contents.sorted()[0]))",
        remedy: "give \(option) a new or empty folder, or remove this one")
    }
  }

  /// Runs `body`, which makes something at `path`; where it throws, the folders above `path` that were not
  /// there before are removed again.
  @discardableResult
  static func leavingNothing<T>(at path: String, _ body: () throws -> T) throws -> T {
    var missing: [String] = []
    var folder = URL(fileURLWithPath: path)
    while !FileManager.default.fileExists(atPath: folder.path) {
      missing.append(folder.path)
      folder = folder.deletingLastPathComponent()
    }
    do {
      return try body()
    } catch {
      // Only empty folders go: what somebody else has put there meanwhile stays.
      for path in missing { rmdir(path) }
      throw error
    }
  }
}
