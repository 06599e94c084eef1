import Foundation

/// A file that appears under its name only when all of it has been written.
///
/// The content goes to a temporary file in the same folder, is forced to the disk, and takes its name by
/// `rename`, which replaces an older file in one step. If anything fails, the temporary file is removed and
/// an older file stays as it was.
enum AtomicWrite {
  /// Writes the file `path` with what `body` hands to the handle it is given.
  ///
  /// - Throws: what `body` throws, and Foundation's errors of creating, writing, and renaming.
  static func write(to path: String, _ body: (FileHandle) throws -> Void) throws {
    let target = URL(fileURLWithPath: path)
    let folder = target.deletingLastPathComponent()
    // The process and the time make the name unused; `O_EXCL` proves it.
    let unique = "\(ProcessInfo.processInfo.processIdentifier)-\(DispatchTime.now().uptimeNanoseconds)"
    let temporary = folder.appendingPathComponent(".\(target.lastPathComponent).\(unique).partial")
    let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw systemError(path: folder.path) }
    do {
      let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
      defer { try? handle.close() }
      try body(handle)
      try handle.synchronize()
    } catch {
      unlink(temporary.path)
      throw error
    }
    guard rename(temporary.path, target.path) == 0 else {
      let failure = systemError(path: path)
      unlink(temporary.path)
      throw failure
    }
    synchronizeFolder(folder.path)
  }

  /// Makes the new name itself durable. Some file systems refuse this; the content is safe all the same.
  private static func synchronizeFolder(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private static func systemError(path: String) -> NSError {
    NSError(domain: NSPOSIXErrorDomain, code: Int(errno), userInfo: [NSFilePathErrorKey: path])
  }
}
