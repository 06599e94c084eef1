import Foundation
import GRDB
import InputErrors
import SafeFiles

extension RunStore {
  /// Begins a run, or continues one.
  ///
  /// - Parameters:
  ///   - resumed: the optimiser steps after which the run of this kind, folder and workflow resumes; its records of later
  ///     steps are dropped, because they will be repeated. `.max` keeps all of them. If the store has no such run, a new
  ///     one begins. `nil` always begins a new one.
  ///   - measurements: those that an experiment needs. Only a run with the same ones resumes, unless its process is still
  ///     there.
  ///   - subject: the folder of the trained run that this one evaluates.
  ///   - onFailure: called at most once, on another thread, if the run cannot be recorded any more.
  /// - Throws: `Refusal` if the store cannot be written.
  package func begin(
    _ run: RunDescription, in environment: RunEnvironment, resumingAfter resumed: Int? = nil,
    measurements: [MeasurementRecord] = [], subject: String? = nil,
    onFailure: @escaping @Sendable (Refusal) -> Void = { _ in }
  ) throws(Refusal) -> RunHandle {
    let now = Date().timeIntervalSince1970
    let folder = run.folder.map(stored)
    let subject = subject.map(stored)
    let (id, number, session) = try translated {
      try write { database in
        var known: (id: String, number: Int64)?
        if let resumed {
          known = try resume(run, folder, measurements, after: resumed, now, database)
        }
        let (id, number) = try known ?? insert(run, folder, subject, now, database)
        try Measurements.plan(measurements, run: number, database)
        return (id, number, try beginSession(of: number, environment, now, database))
      }
    }
    return RunHandle(
      id: id, RunWriter(self, run: number, session: session, now: now, onFailure: onFailure))
  }

  private func insert(
    _ run: RunDescription, _ folder: String?, _ subject: String?, _ now: Double, _ database: Database
  ) throws -> (id: String, number: Int64) {
    // Version 4 UUIDs are random except for two digits after the first twelve.
    let id = String(UUID().uuidString.lowercased().filter { $0 != "-" }.prefix(12))
    let evaluated = try subject.flatMap { try Self.number(ofKind: .train, folder: $0, database) }
    try database.execute(
      sql: """
        INSERT INTO runs (id, kind, name, folder, subject, workflow, yaml, model, modelIdentity, data, dataIdentity, \
        seed, precision, started, alive) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        id, run.kind.rawValue, run.name, folder, evaluated, run.workflow, run.yaml, run.model,
        run.modelIdentity,
        run.data, run.dataIdentity, run.seed, run.precision, now, now,
      ])
    let number = database.lastInsertedRowID
    for (position, setting) in run.settings.enumerated() {
      try database.execute(
        sql: "INSERT INTO settings VALUES (?, ?, ?, ?)",
        arguments: [number, position, setting.name, setting.value])
    }
    return (id, number)
  }

  private static func number(ofKind kind: RunKind, folder: String, _ database: Database) throws -> Int64? {
    try Int64.fetchOne(
      database, sql: "SELECT number FROM runs WHERE kind = ? AND folder = ? ORDER BY number DESC LIMIT 1",
      arguments: [kind.rawValue, folder])
  }

  private func resume(
    _ run: RunDescription, _ folder: String?, _ measurements: [MeasurementRecord], after steps: Int,
    _ now: Double, _ database: Database
  ) throws -> (id: String, number: Int64)? {
    // Only the newest run of the folder: an older one was replaced.
    guard let folder, let number = try Self.number(ofKind: run.kind, folder: folder, database),
      let row = try Row.fetchOne(
        database, sql: "SELECT id, yaml FROM runs WHERE number = ?", arguments: [number])
    else { return nil }
    let fields = Fields(row)
    guard try fields.optionalText("yaml") == run.yaml,
      try Self.isSame(measurements, as: number, database)
    else { return nil }
    for table in ["metrics", "warnings"] {
      try database.execute(
        sql: "DELETE FROM \(table) WHERE run = ? AND totalStep > ?", arguments: [number, steps])
    }
    try database.execute(
      sql: "UPDATE runs SET ended = NULL, outcome = NULL, message = NULL, alive = ? WHERE number = ?",
      arguments: [now, number])
    return (try fields.text("id"), number)
  }

  /// Whether a run needs these measurements, for the same experiments, and no process is making them.
  private static func isSame(
    _ measurements: [MeasurementRecord], as run: Int64, _ database: Database
  ) throws -> Bool {
    func identities(_ all: [MeasurementRecord]) -> Set<[String]> {
      Set(all.map { [$0.checksum] + $0.experiments })
    }
    guard identities(measurements) == identities(try Measurements.read(run: run, database)) else {
      return false
    }
    // A training's folder is locked; several experiments may share one.
    guard !measurements.isEmpty,
      let session = try Row.fetchOne(
        database, sql: "SELECT * FROM sessions WHERE run = ? AND ended IS NULL ORDER BY number DESC LIMIT 1",
        arguments: [run])
    else { return true }
    return try ProcessIdentity(Fields(session)).isRunning != true
  }

  private func beginSession(
    of run: Int64, _ environment: RunEnvironment, _ now: Double, _ database: Database
  ) throws -> Int {
    let last = try Int.fetchOne(
      database, sql: "SELECT MAX(number) FROM sessions WHERE run = ?", arguments: [run])
    let session = (last ?? 0) + 1
    let process = ProcessIdentity.current
    try database.execute(
      sql: """
        INSERT INTO sessions (run, number, started, alive, host, boot, namespace, process, processStart, program, cpu, \
        instructionSet, cores, memory, system, workers, ranks) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        run, session, now, now, process.host, process.boot, process.namespace, process.process, process.start,
        environment.program, environment.cpu, environment.instructionSet, environment.cores,
        environment.memory,
        environment.system, environment.workers, environment.ranks,
      ])
    return session
  }

  /// A folder as it is stored: relative to the store's folder if it is inside, so that both can be moved together.
  package func stored(_ folder: String) -> String {
    func real(_ path: String) -> String {
      URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
    let base = URL(fileURLWithPath: real(path)).deletingLastPathComponent().path
    let folder = real(folder)
    if folder == base { return "." }
    let prefix = base == "/" ? "/" : base + "/"
    return folder.hasPrefix(prefix) ? String(folder.dropFirst(prefix.count)) : folder
  }
}

extension RunStore {
  /// The path of a folder as it is stored.
  package func location(of folder: String) -> String {
    guard !folder.hasPrefix("/") else { return folder }
    let base = path.parentPath
    if folder == "." { return base.isEmpty ? "." : base }
    return base.isEmpty ? folder : base + (base == "/" ? "" : "/") + folder
  }
}
