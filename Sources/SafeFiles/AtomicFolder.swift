import Foundation
import Glibc

/// Writes folders atomically: a folder appears complete or not at all.
package enum AtomicFolder {
  /// Fills a temporary folder beside `url`, then renames it to `url`, which must be absent or an empty
  /// folder. A symbolic link is followed.
  ///
  /// On an error, nothing remains: the temporary folder and any parent folders created for it are removed. A
  /// `FileError` names the file by its final path, not the temporary one.
  ///
  /// - Throws: `FileError` if `url` is not empty or the system reports an error; any error of `body`.
  package static func write<Result>(to url: URL, _ body: (URL) throws -> Result) throws -> Result {
    try refuseContents(url)
    let target = URL(fileURLWithPath: try Destination.folder(url.path))
    let parent = target.deletingLastPathComponent()
    let result = try leavingNothing(at: target.path) {
      let temporary = try TemporaryFolder(in: parent, name: target.lastPathComponent)
      do {
        let result = try body(temporary.url)
        try AtomicFile.synchroniseFolder(temporary.url.path)
        guard rename(temporary.url.path, target.path) == 0 else {
          let code = errno
          if code == EEXIST || code == ENOTEMPTY { try refuseContents(url) }
          throw SystemError.describe(code, path: url.path, action: "rename the finished folder to this path")
        }
        temporary.release()
        return result
      } catch let error as FileError {
        throw error.naming(url.relativePath, for: temporary.url.path)
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
    var missing: [String] = []
    var path = folder.path
    while mkdir(path, 0o755) != 0 {
      // The system's error may be about a folder above, or because another process was faster.
      let code = errno
      if code == EEXIST, try FileKind.of(path) == .folder { break }
      let parent = path.parentPath
      guard code == ENOENT, !parent.isEmpty, parent != path else {
        throw SystemError.describe(
          code == EEXIST ? ENOTDIR : code, path: folder.path, action: "create the folder")
      }
      missing.append(path)
      path = parent
    }
    for path in missing.reversed() where mkdir(path, 0o755) != 0 && errno != EEXIST {
      throw SystemError.describe(errno, path: folder.path, action: "create the folder")
    }
  }

  private static func refuseContents(_ url: URL) throws {
    guard let kind = try FileKind.of(url.path) else { return }
    let contents = kind == .folder ? try? FileManager.default.contentsOfDirectory(atPath: url.path) : nil
    guard contents?.isEmpty == true else {
      throw FileError(
        .exists, file: url.path, problem: "already exists and is not an empty folder",
        remedy: "choose another path or remove it")
    }
  }
}

/// A folder that exists while this object does, and is removed with everything in it.
///
/// If the process is killed, the next one that creates a folder of this name in the same place removes it.
package final class TemporaryFolder {
  package let url: URL
  private let descriptor: Int32
  private var isOurs = true

  /// Creates an empty folder in `parent`, and `parent` itself if it does not exist.
  ///
  /// - Throws: `FileError` if the system reports an error.
  package init(in parent: URL, name: String) throws {
    try AtomicFolder.make(parent)
    Leftovers.remove(in: parent.path, name: name)
    for attempt in 0..<10_000 {
      let folder = parent.appendingPathComponent(
        Leftovers.name(for: name, attempt: attempt), isDirectory: true)
      guard mkdir(folder.path, 0o755) == 0 else {
        guard errno == EEXIST else {
          throw SystemError.describe(
            errno, path: parent.appendingPathComponent(name).path, action: "create the folder")
        }
        continue
      }
      let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else {
        let code = errno
        // Another process may have taken it for a leftover.
        if code == ENOENT { continue }
        rmdir(folder.path)
        throw SystemError.describe(
          code, path: parent.appendingPathComponent(name).path, action: "open the folder")
      }
      if Leftovers.hold(descriptor, at: folder.path) {
        (url, self.descriptor) = (folder, descriptor)
        return
      }
      close(descriptor)
    }
    throw FileError(
      .inputOutput, file: parent.path, problem: "10,000 temporary folders are in the way",
      remedy: "remove the folders named .\(name).*.tmp there")
  }

  /// Leaves the folder to others, under whatever name it now has.
  func release() { isOurs = false }

  deinit {
    if isOurs { try? FileManager.default.removeItem(at: url) }
    close(descriptor)
  }
}
