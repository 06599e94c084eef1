import Foundation
import GRDB
import InputErrors

extension RunStore {
  /// Begins a run, or continues one.
  ///
  /// - Parameters:
  ///   - resumed: the optimiser steps after which the run of this kind, folder and workflow resumes; its records of later
  ///     steps are dropped, because they will be repeated. `.max` keeps all of them. If the store has no such run, a new
  ///     one begins. `nil` always begins a new one.
  ///   - subject: the folder of the trained run that this one evaluates.
  ///   - onFailure: called at most once, on another thread, if the run cannot be recorded any more.
  /// - Throws: `Refusal` if the store cannot be written.
  package func begin(
    _ run: RunDescription, in environment: RunEnvironment, resumingAfter resumed: Int? = nil,
    subject: String? = nil, onFailure: @escaping @Sendable (Refusal) -> Void = { _ in }
  ) throws(Refusal) -> RunHandle {
    let now = Date().timeIntervalSince1970
    let folder = run.folder.map(stored)
    let subject = subject.map(stored)
    let (id, number, session) = try translated {
      try write { database in
        var known: (id: String, number: Int64)?
        if let resumed { known = try resume(run, folder, after: resumed, now, database) }
        let (id, number) = try known ?? insert(run, folder, subject, now, database)
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
    _ run: RunDescription, _ folder: String?, after steps: Int, _ now: Double, _ database: Database
  ) throws -> (id: String, number: Int64)? {
    // Only the newest run of the folder: an older one was replaced.
    guard let folder, let number = try Self.number(ofKind: run.kind, folder: folder, database),
      let row = try Row.fetchOne(
        database, sql: "SELECT id, yaml FROM runs WHERE number = ?", arguments: [number])
    else { return nil }
    let fields = Fields(row)
    guard try fields.optionalText("yaml") == run.yaml else { return nil }
    for table in ["metrics", "warnings"] {
      try database.execute(
        sql: "DELETE FROM \(table) WHERE run = ? AND totalStep > ?", arguments: [number, steps])
    }
    try database.execute(
      sql: "UPDATE runs SET ended = NULL, outcome = NULL, message = NULL, alive = ? WHERE number = ?",
      arguments: [now, number])
    return (try fields.text("id"), number)
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
  /// The values of an experiment, by run, benchmark, method, seed, task and metric.
  ///
  /// - Parameter run: the ID of a run; `nil` for the values of all runs.
  /// - Throws: `Refusal` if the store cannot be read.
  package func cells(experiment: String, run: String? = nil) throws(Refusal) -> [ExperimentCell] {
    try read { database in
      let rows = try Row.fetchAll(
        database,
        sql: """
          SELECT experimentCells.* FROM experimentCells JOIN runs ON runs.number = experimentCells.run \
          WHERE experiment = ? AND (? IS NULL OR runs.id = ?) \
          ORDER BY run, benchmark, method, seed, task, metric
          """, arguments: [experiment, run, run])
      return try rows.map { row in
        let fields = Fields(row)
        return ExperimentCell(
          experiment: try fields.text("experiment"), benchmark: try fields.text("benchmark"),
          method: try fields.text("method"), seed: try fields.integer("seed"), task: try fields.text("task"),
          metric: try fields.text("metric"), value: try fields.number("value"))
      }
    }
  }
}
