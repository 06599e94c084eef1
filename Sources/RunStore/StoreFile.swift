import Foundation
import GRDB
import Glibc
import InputErrors
import SafeFiles

/// The border between a store's file and this package: what may be there, and what the database's errors mean.
struct StoreFile: Sendable {
  let path: String

  init(_ path: String) { self.path = path }

  /// The longest wait for another process's transaction, in seconds.
  static let patience = 10.0
  /// The first bytes of every database file.
  private static let magic = Array("SQLite format 3\0".utf8)

  /// Whether there is a file with at least one byte.
  var hasContent: Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_size > 0
  }

  /// Whether the file and its folder can be written.
  var isWritable: Bool { (try? checkForWriting()) != nil }

  /// - Throws: `Refusal` if there is something other than a database, or the folder does not exist.
  func checkForWriting() throws(Refusal) {
    if try kind() == nil {
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      guard try StoreFile(folder).kind() == .folder else {
        throw Refusal(path, "its folder does not exist", "create \(folder) first, or give another --store")
      }
      try checkAccess(folder)
      return
    }
    try checkContent()
    try checkAccess(path)
    // The write-ahead log is a file beside it.
    try checkAccess(URL(fileURLWithPath: path).deletingLastPathComponent().path)
  }

  /// - Throws: `Refusal` if there is no database.
  func checkForReading() throws(Refusal) {
    guard try kind() != nil else {
      throw Refusal(
        path, "does not exist", "give the store of a training with --store; 'contexture train' makes one")
    }
    try checkContent()
    guard hasContent else {
      throw Refusal(path, "is empty: nothing was recorded in it", "give the store of a training with --store")
    }
  }

  private func kind() throws(Refusal) -> FileKind? {
    do { return try FileKind.of(path) } catch { throw Refusal(path, error.problem, error.remedy) }
  }

  private func checkContent() throws(Refusal) {
    if let kind = try kind(), kind != .file {
      throw Refusal(path, "is \(kind.text), not the file of a store", "give --store a file name")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw refusal(errno, "open") }
    defer { close(descriptor) }
    var start = [UInt8](repeating: 0, count: Self.magic.count)
    let count = Glibc.read(descriptor, &start, start.count)
    guard count >= 0 else { throw refusal(errno, "read") }
    guard count == 0 || start == Self.magic else { throw notAStore }
  }

  private func checkAccess(_ entry: String) throws(Refusal) {
    guard access(entry, W_OK) == 0 else {
      throw refusal(errno, "write \(entry == path ? "it" : "in its folder")")
    }
  }

  private func refusal(_ code: Int32, _ action: String) -> Refusal {
    Refusal(path, "cannot \(action): \(SystemError.reason(code))", SystemError.remedy(code))
  }

  /// The file is not one of this program.
  var notAStore: Refusal {
    Refusal(
      path, "is not a store of runs", "give another file with --store, or leave the store out with --no-store"
    )
  }

  /// The content contradicts itself.
  func damaged(_ detail: String) -> Refusal {
    Refusal(
      path, "is damaged (\(detail))",
      "restore it from a copy, or move it away to start a new one; the run folders have what is needed to resume"
    )
  }

  /// Turns the errors of the database into refusals.
  func translating<Value>(_ body: () throws -> Value) throws(Refusal) -> Value {
    do { return try body() } catch let error as Refusal { throw error } catch let error as DatabaseError {
      throw meaning(of: error)
    } catch let error as Damage {
      throw damaged(error.detail)
    } catch {
      throw Refusal(path, "cannot be used: \(error)", "give another file with --store")
    }
  }

  /// A stored value that no version of this program writes.
  struct Damage: Error { let detail: String }

  private func meaning(of error: DatabaseError) -> Refusal {
    let text = error.message ?? "SQLite error \(error.resultCode.rawValue)"
    switch error.resultCode {
    case .SQLITE_NOTADB: return notAStore
    case .SQLITE_CORRUPT, .SQLITE_ERROR, .SQLITE_MISMATCH, .SQLITE_SCHEMA, .SQLITE_CONSTRAINT:
      return damaged(text)
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return Refusal(
        path, "is in use: another program has kept it locked for \(Int(Self.patience)) s",
        "end that program, or give another file with --store")
    case .SQLITE_FULL:
      return Refusal(path, "cannot be written: \(text)", SystemError.remedy(ENOSPC))
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
      return Refusal(
        path, "cannot be opened or written: \(text)",
        "check the permissions of the file and of its folder, in which SQLite keeps two more files")
    case .SQLITE_IOERR:
      return Refusal(path, "cannot be read or written: \(text)", "check the disk and its free space")
    default:
      return Refusal(path, "cannot be used: \(text)", "give another file with --store")
    }
  }

  /// Repeats an operation that another process prevents. SQLite itself waits in most cases, but not while a file
  /// changes to WAL mode or its last user leaves.
  static func retrying<Value>(_ body: () throws -> Value) throws -> Value {
    let end = ContinuousClock.now + .seconds(patience)
    while true {
      do { return try body() } catch let error as DatabaseError
        where [.SQLITE_BUSY, .SQLITE_LOCKED].contains(error.resultCode) && ContinuousClock.now < end
      {
        usleep(UInt32.random(in: 5_000...30_000))
      }
    }
  }
}
