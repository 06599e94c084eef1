import Glibc

/// The kind of a file system entry.
package enum FileKind: Sendable, Equatable {
  case file, folder, pipe, socket, device

  init(_ mode: mode_t) {
    switch mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .folder
    case S_IFIFO: self = .pipe
    case S_IFSOCK: self = .socket
    default: self = .device
    }
  }

  /// The kind with an article, for messages.
  package var text: String {
    switch self {
    case .file: "a file"
    case .folder: "a folder"
    case .pipe: "a named pipe"
    case .socket: "a socket"
    case .device: "a device"
    }
  }

  /// The kind of the entry at `path`, after symbolic links; `nil` if there is none.
  ///
  /// Unlike `FileManager.fileExists`, it distinguishes an entry that does not exist from one that cannot be
  /// examined.
  ///
  /// - Throws: `FileError` with the system's reason if that cannot be determined.
  package static func of(_ path: String) throws(FileError) -> FileKind? {
    var status = stat()
    if stat(path, &status) == 0 { return FileKind(status.st_mode) }
    if errno == ENOENT { return nil }
    throw SystemError.describe(errno, path: path, action: "examine")
  }
}

/// Opens regular files for reading.
package enum RegularFile {
  /// Opens the file at `path`. Never waits: a pipe, a device, a socket or a folder is refused at once.
  ///
  /// - Returns: the descriptor, which the caller closes, and the file's status.
  /// - Throws: `FileError` if there is no such file, it is not a regular file, or it cannot be opened.
  package static func open(_ path: String) throws(FileError) -> (descriptor: Int32, status: stat) {
    // A pipe without a writer would be waited for.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      let code = errno
      if let kind = try? FileKind.of(path), kind != .file, kind != .folder { throw refuse(path, kind) }
      throw SystemError.describe(code, path: path, action: "open")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw SystemError.describe(code, path: path, action: "examine")
    }
    let kind = FileKind(status.st_mode)
    guard kind == .file else {
      close(descriptor)
      throw refuse(path, kind)
    }
    return (descriptor, status)
  }

  private static func refuse(_ path: String, _ kind: FileKind) -> FileError {
    FileError(
      kind == .folder ? .inputOutput : .unsupported, file: path,
      problem: kind == .folder ? "is not a regular file" : "is \(kind.text), not a regular file",
      remedy: "give the path of a file")
  }
}
