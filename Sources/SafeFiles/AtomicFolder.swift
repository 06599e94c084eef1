import Foundation
import Glibc

/// Writes folders atomically: a folder appears complete or not at all.
package enum AtomicFolder {
  /// Fills a temporary folder beside `url`, then renames it to `url`, which must be absent or an empty
  /// folder.
  ///
  /// On an error, nothing remains: the temporary folder and any parent folders created for it are removed. A
  /// `FileError` names the file by its final path, not the temporary one.
  ///
  /// - Throws: `FileError` if `url` is not empty or the system reports an error; any error of `body`.
  package static func write<Result>(to url: URL, _ body: (URL) throws -> Result) throws -> Result {
    try refuseContents(url)
    let parent = url.deletingLastPathComponent()
    let result = try leavingNothing(at: url.path) {
      let temporary = try makeTemporary(parent, name: url.lastPathComponent)
      do {
        let result = try body(temporary)
        try AtomicFile.synchroniseFolder(temporary.path)
        guard rename(temporary.path, url.path) == 0 else {
          throw SystemError.describe(errno, path: url.path, action: "rename the finished folder to this path")
        }
        return result
      } catch let error as FileError {
        try? FileManager.default.removeItem(at: temporary)
        throw error.naming(url.relativePath, for: temporary.path)
      } catch {
        try? FileManager.default.removeItem(at: temporary)
        throw error
      }
    }
    try AtomicFile.synchroniseFolder(parent.path)
    return result
  }

  /// Runs `body`, which creates something at `path`. If it throws, removes the folders above `path` that did
  /// not exist before.
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
      // rmdir removes only empty folders, so anything that another process put there stays.
      for path in missing { rmdir(path) }
      throw error
    }
  }

  /// Creates a folder and its missing parents.
  ///
  /// - Throws: `FileError` if the system reports an error.
  package static func make(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .inputOutput, file: folder.path, problem: "cannot create the folder: \(error.localizedDescription)",
        remedy: "check the path, its permissions and the free space of the disk")
    }
  }

  /// Creates an empty folder in `parent`, and `parent` itself if it does not exist.
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
      .inputOutput, file: parent.path, problem: "10,000 temporary folders are in the way",
      remedy: "remove the folders named .\(name).*.tmp there")
  }

  private static func refuseContents(_ url: URL) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return }
    let contents = try? FileManager.default.contentsOfDirectory(atPath: url.path)
    guard isFolder.boolValue, contents?.isEmpty == true else {
      throw FileError(
        .inputOutput, file: url.path, problem: "already exists and is not an empty folder",
        remedy: "choose another path or remove it")
    }
  }
}
