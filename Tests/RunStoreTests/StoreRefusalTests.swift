import RunStore
import Foundation
import GRDB
import Glibc
import InputErrors
import SeededRandom
import Testing

@Suite("Stores that are refused") struct StoreRefusalTests {
  /// The message of a refusal; of both ways to open a store, if they differ only in what they do.
  private func refusal(_ path: String) -> String {
    let writing = #expect(throws: Refusal.self) { _ = try RunStore(path) }
    let reading = #expect(throws: Refusal.self) { _ = try RunStore(reading: path) }
    let checking = #expect(throws: Refusal.self) { try RunStore.check(path) }
    #expect(writing?.problem == reading?.problem && reading?.problem == checking?.problem)
    return writing.map { "\($0)" } ?? ""
  }

  /// A store with a run.
  private func withFilledStore(_ body: (URL, String) throws -> Void) throws {
    try withStore { folder, path in
      do {
        let run = try RunStore(path).begin(.training(folder.path), in: .test)
        for step in 1...300 { run.record(StepMetrics.at(step)) }
        run.finish(.finished)
      }
      // Whoever opened it has closed it, so that all is in the one file.
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [RunStore.defaultName])
      try body(folder, path)
    }
  }

  private func change(_ path: String, _ sql: String) throws {
    try DatabaseQueue(path: path, configuration: .patient).write { try $0.execute(sql: sql) }
  }

  @Test func aFileOfAnotherKind() throws {
    try withStore { folder, path in
      try Data("name: iov\nmodel: smollm2\n".utf8).write(to: URL(fileURLWithPath: path))
      #expect(refusal(path).contains("is not a store of runs"))
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
      #expect(refusal(path).contains("is not a store of runs"))
      // Nothing of it has changed.
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data([1, 2, 3]))
    }
  }

  @Test func aDatabaseOfAnotherProgram() throws {
    try withStore { folder, path in
      try change(path, "CREATE TABLE notes (text TEXT)")
      let before = try Data(contentsOf: URL(fileURLWithPath: path))
      #expect(refusal(path).contains("is not a store of runs"))
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }
  }

  @Test func aFolderAndAPipe() throws {
    try withStore { folder, path in
      #expect(refusal(folder.path).contains("is a folder, not the file of a store"))
      #expect(mkfifo(path, 0o600) == 0)
      #expect(refusal(path).contains("is a named pipe, not the file of a store"))
    }
  }

  @Test func aNewerStore() throws {
    try withFilledStore { _, path in
      try change(path, "PRAGMA user_version = \(Schema.migrations.count + 1)")
      let text = refusal(path)
      #expect(
        text.contains("was made by a newer version of contexture (format \(Schema.migrations.count + 1)"))
      #expect(text.contains("update contexture"))
    }
  }

  @Test func damagedPages() throws {
    try withFilledStore { _, path in
      try DatabaseQueue(path: path, configuration: .patient).writeWithoutTransaction {
        try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
      }
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      var bytes = whole
      for page in stride(from: 4096, to: bytes.count, by: 4096) {
        bytes.replaceSubrange(page..<page + 64, with: Array(repeating: 0xA5, count: 64))
      }
      try bytes.write(to: URL(fileURLWithPath: path))
      #expect(refusal(path).contains("is damaged"))
      // Cut off in the middle.
      try whole.prefix(whole.count / 2 / 4096 * 4096).write(to: URL(fileURLWithPath: path))
      #expect(refusal(path).contains("is damaged"))
      // Only the header is left.
      try whole.prefix(100).write(to: URL(fileURLWithPath: path))
      _ = refusal(path)
    }
  }

  /// Whatever is changed, a store is used or refused.
  @Test func bytesChangedAnywhere() throws {
    try withFilledStore { folder, path in
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      var generator = SeededGenerator(seed: 3)
      var (used, refused) = (0, 0)
      for _ in 0..<150 {
        var bytes = whole
        for _ in 0...generator.below(6) {
          // Many pages are empty; half of the changes are in the first ones.
          let place = generator.below(generator.below(2) == 0 ? bytes.count : 8192)
          bytes[place] = UInt8(truncatingIfNeeded: generator.below(256))
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
          try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        do {
          let reader = try RunStore(reading: path)
          for run in try reader.runs() { _ = try reader.details(of: reader.identifier(of: run.id)) }
          let run = try RunStore(path).begin(.training(folder.path), in: .test, resumingAfter: 3)
          run.record(StepMetrics.at(4))
          run.finish(.finished)
          used += 1
        } catch is Refusal { refused += 1 }
      }
      #expect(used > 10 && refused > 10, "\(used) used, \(refused) refused")
    }
  }

  @Test(arguments: [
    ("DROP TABLE metrics", "table 'metrics' is missing"),
    ("ALTER TABLE warnings ADD COLUMN more TEXT", "table 'warnings' has other columns"),
    (
      "CREATE TRIGGER t AFTER INSERT ON warnings BEGIN DELETE FROM runs; END", "it has a trigger 't'"
    ),
    ("CREATE VIEW v AS SELECT 1", "it has a view 'v'"),
    ("PRAGMA user_version = 0", "it has no tables"), ("PRAGMA user_version = -3", "it has no tables"),
  ])
  func otherTables(sql: String, problem: String) throws {
    try withFilledStore { _, path in
      try change(path, sql)
      #expect(refusal(path).contains("is damaged (\(problem))"))
    }
  }

  @Test func furtherTablesDoNoHarm() throws {
    try withFilledStore { _, path in
      try change(path, "CREATE TABLE mine (x); CREATE INDEX also ON metrics (loss)")
      #expect(try RunStore(path).runs().count == 1)
    }
  }

  /// The types of a table are only checked when a value is written, so a file may have others.
  @Test(arguments: [
    ("runs", "started REAL NOT NULL", "started", "'soon'"),
    ("runs", "id TEXT NOT NULL UNIQUE", "id", "x'ff00'"),
    ("runs", "started REAL NOT NULL", "started", "9e999"), ("metrics", "loss REAL", "loss", "'low'"),
    ("metrics", "step INTEGER NOT NULL", "totalStep", "'x' WHERE totalStep = 300"),
    ("sessions", "cores INTEGER NOT NULL", "cores", "-1"),
  ])
  func valuesOfAnotherType(table: String, column: String, name: String, value: String) throws {
    try withFilledStore { _, path in
      try DatabaseQueue(path: path, configuration: .patient).writeWithoutTransaction { database in
        // Make a table without types look like the one with types.
        let definition = try String.fetchOne(
          database, sql: "SELECT sql FROM sqlite_schema WHERE name = ?", arguments: [table])
        let text = try #require(definition)
        try database.execute(sql: "PRAGMA writable_schema = ON")
        try database.execute(
          sql: "UPDATE sqlite_schema SET sql = ? WHERE name = ?",
          arguments: [
            text.replacing(" STRICT, WITHOUT ROWID", with: " WITHOUT ROWID").replacing(" STRICT", with: ""),
            table,
          ])
        try database.execute(sql: "PRAGMA writable_schema = RESET")
      }
      try DatabaseQueue(path: path, configuration: .patient).writeWithoutTransaction { database in
        try database.execute(
          sql: "PRAGMA foreign_keys = OFF; UPDATE \(table) SET \(name) = \(value)")
      }
      try DatabaseQueue(path: path, configuration: .patient).writeWithoutTransaction { database in
        try database.execute(sql: "PRAGMA writable_schema = ON")
        let migrated = try DatabaseQueue().write { memory in
          try memory.execute(sql: Schema.migrations.joined())
          return try String.fetchOne(
            memory, sql: "SELECT sql FROM sqlite_schema WHERE name = ?", arguments: [table])
        }
        try database.execute(
          sql: "UPDATE sqlite_schema SET sql = ? WHERE name = ?", arguments: [migrated, table])
        try database.execute(sql: "PRAGMA writable_schema = RESET")
      }
      let error = #expect(throws: Refusal.self) {
        let store = try RunStore(reading: path)
        for run in try store.runs() { _ = try store.details(of: run.id) }
      }
      #expect(error?.problem.hasPrefix("is damaged") == true, "\(String(describing: error))")
    }
  }

  @Test func placesThatCannotBeWritten() throws {
    try withStore { folder, path in
      let missing = folder.appendingPathComponent("no/such/store").path
      let error = #expect(throws: Refusal.self) { _ = try RunStore(missing) }
      #expect(error?.description.contains("its folder does not exist") == true)
      let proc = #expect(throws: Refusal.self) { _ = try RunStore("/proc/store") }
      #expect(proc != nil)
      let under = folder.appendingPathComponent("file")
      try Data().write(to: under)
      let below = #expect(throws: Refusal.self) { try RunStore.check(under.path + "/store") }
      #expect(below?.remedy == "a part of the path is a file, not a folder")
    }
  }

  @Test func readingLeavesNoOtherFiles() throws {
    try withFilledStore { folder, path in
      #expect(try RunStore(reading: path).runs().count == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [RunStore.defaultName])
      try change(path, "PRAGMA user_version = 99")
      _ = refusal(path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [RunStore.defaultName])
    }
  }

  @Test func nothingToRead() throws {
    try withStore { _, path in
      let missing = #expect(throws: Refusal.self) { _ = try RunStore(reading: path) }
      #expect(missing?.problem == "does not exist")
      try Data().write(to: URL(fileURLWithPath: path))
      let empty = #expect(throws: Refusal.self) { _ = try RunStore(reading: path) }
      #expect(empty?.problem == "is empty: nothing was recorded in it")
      #expect(try RunStore(path).runs().isEmpty)
    }
  }

  @Test func aCheckCreatesNothing() throws {
    try withStore { folder, path in
      try RunStore.check(path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }
}
