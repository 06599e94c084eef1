import Foundation
import Glibc

/// Where the bytes for a path go.
///
/// | path | destination |
/// |---|---|
/// | absent, a regular file | that path, replaced atomically |
/// | a symbolic link | the same for what it points to; the link stays |
/// | a pipe or a device, such as `/dev/null` | written directly |
/// | an open descriptor, such as `/dev/stdout` | written directly, at its position |
/// | a folder | refused |
package enum Destination: Equatable {
  /// A path to replace by renaming; a symbolic link has been followed.
  case replaced(path: String, mode: mode_t?)
  /// A pipe or a device to open and write to.
  case opened(path: String)
  /// A descriptor of the process.
  case descriptor(Int32)

  /// - Throws: `FileError` if the path is a folder, or its links cannot be followed.
  package init(_ path: String) throws(FileError) {
    var current = path
    for _ in 0..<40 {
      if let open = OpenDescriptor(path: current) {
        self = .descriptor(open.number)
        return
      }
      var status = stat()
      guard lstat(current, &status) == 0 else {
        guard errno == ENOENT else { throw SystemError.describe(errno, path: path, action: "examine") }
        self = .replaced(path: current, mode: nil)
        return
      }
      guard status.st_mode & S_IFMT == S_IFLNK else {
        switch FileKind(status.st_mode) {
        case .folder: throw SystemError.describe(EISDIR, path: path, action: "write")
        case .file: self = .replaced(path: current, mode: status.st_mode & 0o777)
        case .pipe, .socket, .device: self = .opened(path: current)
        }
        return
      }
      // The kernel's own links, such as /proc/1/fd/1, need not be paths.
      if stat(current, &status) == 0, ![.file, .folder].contains(FileKind(status.st_mode)) {
        self = .opened(path: current)
        return
      }
      current = try Self.target(ofLink: current, named: path)
    }
    throw SystemError.describe(ELOOP, path: path, action: "follow the links")
  }

  /// The path that a new folder at `path` gets: what a symbolic link points to, otherwise `path`.
  static func folder(_ path: String) throws(FileError) -> String {
    var current = path
    for _ in 0..<40 {
      var status = stat()
      guard lstat(current, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return current }
      current = try target(ofLink: current, named: path)
    }
    throw SystemError.describe(ELOOP, path: path, action: "follow the links")
  }

  private static func target(ofLink link: String, named path: String) throws(FileError) -> String {
    let target = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer -> String? in
      guard let start = buffer.baseAddress else { return nil }
      let count = readlink(link, start, buffer.count)
      return count < 0
        ? nil
        : String(
          decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self)
    }
    guard let target else { throw SystemError.describe(errno, path: path, action: "follow the link") }
    let folder = link.parentPath
    return target.hasPrefix("/") || folder.isEmpty ? target : folder + (folder == "/" ? "" : "/") + target
  }
}
