import Foundation
import GRDB
import InputErrors

/// A database of runs: what was trained or evaluated, when, with which settings, and with which result.
///
/// Several threads and several processes may use one file at once. Writers take turns: every transaction is short and
/// waits for the others' for up to ten seconds. The file is in WAL mode, so readers never wait for a writer.
package final class RunStore: Sendable {
  /// The name of a store beside the run folders, unless another one is given.
  package static let defaultName = "contexture.sqlite"

  /// The path of the file.
  package let path: String
  let database: DatabaseQueue

  /// Opens a store for writing; creates it if there is no file, or an empty one.
  ///
  /// - Throws: `Refusal` if the file is no store, is damaged, was made by a newer version, or cannot be written.
  package convenience init(_ path: String) throws(Refusal) {
    try StoreFile(path).checkForWriting()
    try self.init(path, isWritten: true)
  }

  /// Opens a store that exists, to read it.
  ///
  /// - Throws: `Refusal` if there is no such file, or it is no store, is damaged, was made by a newer version, or cannot
  ///   be read.
  package convenience init(reading path: String) throws(Refusal) {
    try StoreFile(path).checkForReading()
    try self.init(path, isWritten: false)
    // An older version made it.
    guard try translated({ try database.read { try Schema.version(of: $0) } }) < Schema.migrations.count
    else {
      return
    }
    _ = try RunStore(path)
  }

  /// Checks what is at `path` without changing or creating anything.
  ///
  /// - Throws: `Refusal` if a store cannot be written there.
  package static func check(_ path: String) throws(Refusal) {
    let file = StoreFile(path)
    try file.checkForWriting()
    if file.hasContent { _ = try RunStore(path, isWritten: false) }
  }

  private init(_ path: String, isWritten: Bool) throws(Refusal) {
    self.path = path
    let file = StoreFile(path)
    var configuration = Configuration()
    // The last connection that may write removes SQLite's other files when it closes; one that may not leaves them.
    configuration.readonly = !isWritten && !file.isWritable
    configuration.busyMode = .timeout(StoreFile.patience)
    configuration.label = "RunStore"
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA trusted_schema = OFF")
      if !isWritten { try database.execute(sql: "PRAGMA query_only = ON") }
    }
    database = try file.translating {
      try StoreFile.retrying { try DatabaseQueue(path: path, configuration: configuration) }
    }
    try file.translating {
      // In one snapshot: another process may be making the store.
      try StoreFile.retrying {
        try database.read { try Schema.identify($0, isWritten: isWritten, path: path) }
      }
      guard isWritten else {
        return try database.read { try Schema.verify($0, path: path) }
      }
      try StoreFile.retrying {
        try database.writeWithoutTransaction { database in
          // A commit survives the process; after a loss of power the last ones may be missing.
          try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        }
      }
      if try database.read({ try Schema.version(of: $0) }) < Schema.migrations.count {
        try write { try Schema.migrate($0) }
      }
      // Takes longer the more there is, and must not keep other writers waiting.
      try database.read { try Schema.verify($0, path: path) }
    }
  }

  /// Runs one transaction that holds the write lock from its start.
  func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try StoreFile.retrying {
      try database.writeWithoutTransaction { database in
        var result: Value?
        try database.inTransaction(.immediate) {
          result = try body(database)
          return .commit
        }
        guard let result else { preconditionFailure("a committed transaction has a result") }
        return result
      }
    }
  }

  /// Reads in one snapshot.
  func read<Value>(_ body: (Database) throws -> Value) throws(Refusal) -> Value {
    try translated { try database.read(body) }
  }

  /// Turns the errors of the database into refusals.
  func translated<Value>(_ body: () throws -> Value) throws(Refusal) -> Value {
    try StoreFile(path).translating(body)
  }
}
