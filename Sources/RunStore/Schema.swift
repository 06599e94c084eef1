import GRDB
import InputErrors

/// The tables of a store.
///
/// A migration is never changed after a release: a new one is added at the end. `user_version` counts those that a file
/// has; `application_id` marks the file as a store.
package enum Schema {
  /// "CTXr"
  private static let application = 0x4354_5872

  package static let migrations: [String] = [
    """
    CREATE TABLE runs (
      number INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      folder TEXT,
      subject INTEGER REFERENCES runs (number),
      workflow TEXT,
      yaml TEXT,
      model TEXT,
      modelIdentity TEXT,
      data TEXT,
      dataIdentity TEXT,
      seed INTEGER,
      precision TEXT,
      started REAL NOT NULL,
      alive REAL NOT NULL,
      ended REAL,
      outcome TEXT,
      message TEXT
    ) STRICT;
    CREATE INDEX runsByFolder ON runs (folder);
    CREATE INDEX runsBySubject ON runs (subject);

    CREATE TABLE settings (
      run INTEGER NOT NULL REFERENCES runs (number),
      position INTEGER NOT NULL,
      name TEXT NOT NULL,
      value TEXT NOT NULL,
      PRIMARY KEY (run, position)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE sessions (
      run INTEGER NOT NULL REFERENCES runs (number),
      number INTEGER NOT NULL,
      started REAL NOT NULL,
      alive REAL NOT NULL,
      ended REAL,
      host TEXT NOT NULL,
      boot TEXT NOT NULL,
      namespace TEXT NOT NULL,
      process INTEGER NOT NULL,
      processStart INTEGER NOT NULL,
      program TEXT NOT NULL,
      cpu TEXT NOT NULL,
      instructionSet TEXT NOT NULL,
      cores INTEGER NOT NULL,
      memory INTEGER NOT NULL,
      system TEXT NOT NULL,
      workers INTEGER,
      ranks INTEGER NOT NULL,
      PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE metrics (
      run INTEGER NOT NULL REFERENCES runs (number),
      totalStep INTEGER NOT NULL,
      phase INTEGER NOT NULL,
      round INTEGER NOT NULL,
      task TEXT NOT NULL,
      step INTEGER NOT NULL,
      loss REAL,
      gradientNorm REAL,
      learningRate REAL,
      tokens INTEGER NOT NULL,
      seconds REAL NOT NULL,
      validationLoss REAL,
      validationAccuracy REAL,
      PRIMARY KEY (run, totalStep)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE warnings (
      number INTEGER PRIMARY KEY,
      run INTEGER NOT NULL REFERENCES runs (number),
      totalStep INTEGER NOT NULL,
      kind TEXT NOT NULL,
      task TEXT NOT NULL,
      text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX warningsByRun ON warnings (run, totalStep);

    CREATE TABLE evaluations (
      number INTEGER PRIMARY KEY,
      run INTEGER NOT NULL REFERENCES runs (number),
      time REAL NOT NULL,
      split TEXT NOT NULL,
      data TEXT NOT NULL,
      isBase INTEGER NOT NULL,
      episodes INTEGER NOT NULL,
      allRight INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX evaluationsByRun ON evaluations (run);

    CREATE TABLE evaluationTasks (
      evaluation INTEGER NOT NULL REFERENCES evaluations (number),
      position INTEGER NOT NULL,
      task TEXT NOT NULL,
      goldCorrect INTEGER NOT NULL,
      goldCount INTEGER NOT NULL,
      chainedCorrect INTEGER NOT NULL,
      chainedCount INTEGER NOT NULL,
      PRIMARY KEY (evaluation, position)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE checksums (
      run INTEGER NOT NULL REFERENCES runs (number),
      file TEXT NOT NULL,
      sha256 TEXT NOT NULL,
      PRIMARY KEY (run, file)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE experimentCells (
      run INTEGER NOT NULL REFERENCES runs (number),
      experiment TEXT NOT NULL,
      benchmark TEXT NOT NULL,
      method TEXT NOT NULL,
      seed INTEGER NOT NULL,
      task TEXT NOT NULL,
      metric TEXT NOT NULL,
      value REAL NOT NULL,
      PRIMARY KEY (run, experiment, benchmark, method, seed, task, metric)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX experimentCellsByExperiment ON experimentCells (experiment);
    """,
    // No version has written the table of the first one.
    """
    DROP TABLE experimentCells;

    CREATE TABLE measurements (
      run INTEGER NOT NULL REFERENCES runs (number),
      checksum TEXT NOT NULL,
      position INTEGER NOT NULL,
      experiments TEXT NOT NULL,
      benchmark TEXT NOT NULL,
      method TEXT NOT NULL,
      seed INTEGER NOT NULL,
      state TEXT NOT NULL,
      PRIMARY KEY (run, checksum)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE measurementValues (
      run INTEGER NOT NULL REFERENCES runs (number),
      checksum TEXT NOT NULL,
      task TEXT NOT NULL,
      metric TEXT NOT NULL,
      value REAL NOT NULL,
      PRIMARY KEY (run, checksum, task, metric)
    ) STRICT, WITHOUT ROWID;
    """,
  ]

  /// The number of migrations that a file has.
  static func version(of database: Database) throws -> Int {
    try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
  }

  /// Checks that a database is a store that this version can use or, if it is to be written, an empty one.
  static func identify(_ database: Database, isWritten: Bool, path: String) throws {
    let file = StoreFile(path)
    let version = try version(of: database)
    guard try Int.fetchOne(database, sql: "PRAGMA application_id") == application else {
      let entries = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_schema") ?? 0
      guard isWritten, version == 0, entries == 0 else { throw file.notAStore }
      return
    }
    guard version <= migrations.count else {
      throw Refusal(
        path,
        "was made by a newer version of contexture (format \(version), this one knows \(migrations.count))",
        "update contexture, or give another file with --store")
    }
    guard version > 0 else { throw StoreFile.Damage(detail: "it has no tables") }
  }

  /// Adds the missing tables. The caller holds the write lock, so no other process does the same meanwhile.
  static func migrate(_ database: Database) throws {
    let version = try version(of: database)
    guard version < migrations.count else { return }
    for migration in migrations[version...] { try database.execute(sql: migration) }
    try database.execute(
      sql: "PRAGMA application_id = \(application); PRAGMA user_version = \(migrations.count)")
  }

  /// Checks the file's pages, and that its tables are those of its version. Further tables do no harm, but a trigger or a
  /// view would be executed.
  static func verify(_ database: Database, path: String) throws {
    let check = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
    guard check == "ok" else { throw StoreFile.Damage(detail: check ?? "its pages cannot be checked") }
    let version = try version(of: database)
    let expected = try DatabaseQueue().write { memory in
      for migration in migrations[..<min(version, migrations.count)] { try memory.execute(sql: migration) }
      return try entries(memory)
    }
    let found = try entries(database)
    for (name, entry) in expected where found[name] != entry {
      throw StoreFile.Damage(
        detail: "\(entry.kind) '\(name)' \(found[name] == nil ? "is missing" : "has other columns")")
    }
    if let foreign = found.first(where: { ["trigger", "view"].contains($0.value.kind) }) {
      throw StoreFile.Damage(detail: "it has a \(foreign.value.kind) '\(foreign.key)'")
    }
  }

  private struct Entry: Equatable {
    let kind: String
    let definition: String?
  }

  private static func entries(_ database: Database) throws -> [String: Entry] {
    let rows = try Row.fetchAll(
      database, sql: "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    return try Dictionary(
      rows.map { row in
        let fields = Fields(row)
        return (
          try fields.text("name"),
          Entry(kind: try fields.text("type"), definition: try fields.optionalText("sql"))
        )
      }, uniquingKeysWith: { first, _ in first })
  }
}
