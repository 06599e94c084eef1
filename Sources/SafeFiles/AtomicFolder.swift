import Foundation
import Glibc

/// Writing a folder so that it appears complete or not at all.
package enum AtomicFolder {
  /// Fills a temporary folder beside `url`, then renames it to `url`, which must not exist or be empty.
  ///
  /// Throws `FileError` where `url` holds something or the system refuses, and whatever `body`
  /// throws. Nothing is left then, neither the temporary folder nor those above it that were made for it,
  /// and a `FileError` names the file by the path it would have had.
  package static func write(to url: URL, _ body: (URL) throws -> Void) throws {
    try refuseContents(url)
    let parent = url.deletingLastPathComponent()
    try leavingNothing(at: url.path) {
      let temporary = try makeTemporary(parent, name: url.lastPathComponent)
      do {
        try body(temporary)
        try AtomicFile.synchroniseFolder(temporary.path)
        guard rename(temporary.path, url.path) == 0 else {
          throw SystemError.describe(errno, path: url.path, action: "rename the finished folder to this path")
        }
      } catch let error as FileError {
        try? FileManager.default.removeItem(at: temporary)
        throw error.naming(url.relativePath, for: temporary.path)
      } catch {
        try? FileManager.default.removeItem(at: temporary)
        throw error
      }
    }
    try AtomicFile.synchroniseFolder(parent.path)
  }

  /// Runs `body`, which makes something at `path`; where it throws, the folders above `path` that were not
  /// there before are removed again.
  @discardableResult
  package static func leavingNothing<T>(at path: String, _ body: () throws -> T) throws -> T {
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

  /// Makes a folder and those above it, where they are not there.
  ///
  /// Throws `FileError` where the system refuses.
  package static func make(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .inputOutput, file: folder.path, problem: "cannot create the folder: \(error.localizedDescription)",
        remedy: "check the path, its permissions and the free space of the disk")
    }
  }

  /// A new, empty folder in `parent`, which is created where it does not exist.
  package static func makeTemporary(_ parent: URL, name: String) throws -> URL {
    try make(parent)
    for attempt in 0..<10_000 {
      let folder = parent.appendingPathComponent(".\(name).\(getpid()).\(attempt).tmp", isDirectory: true)
      if mkdir(folder.path, 0o755) == 0 { return folder }
      guard errno == EEXIST else {
        throw SystemError.describe(
          errno, path: parent.appendingPathComponent(name).path, action: "create the folder")
      }
    }
    throw FileError(
      .inputOutput, file: parent.path, problem: "10,000 temporary folders stand in the way",
      remedy: "remove the folders named .\(name).*.tmp there")
  }

  private static func refuseContents(_ url: URL) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return }
    let contents = try? FileManager.default.contentsOfDirectory(atPath: url.path)
    guard isFolder.boolValue, contents?.isEmpty == true else {
      throw FileError(
        .inputOutput, file: url.path, problem: "exists already and is not an empty folder",
        remedy: "choose another path or remove it")
    }
  }
}
