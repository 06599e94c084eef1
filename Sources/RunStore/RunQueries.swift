import Foundation
import GRDB
import InputErrors

/// A run in the list.
package struct RunSummary: Sendable, Encodable, Equatable {
  package var id: String
  package var kind: String
  package var name: String
  /// Relative to the store's folder if it is inside.
  package var folder: String?
  package var state: RunState
  /// The error of a failed run.
  package var message: String?
  /// Times in seconds since 1970.
  package var started, alive: Double
  package var ended: Double?
  /// The wall time of all processes that worked on the run, in seconds.
  package var seconds: Double
  /// Optimiser steps so far.
  package var steps: Int
  /// The loss of the last step, in nats.
  package var lastLoss: Double?
  /// The mean of the tasks' chained accuracies in the last evaluation, of a training without `--base`; from 0 to 1.
  package var accuracy: Double?
  /// The ID of the training that an evaluation measured.
  package var subject: String?
  /// How far an experiment is; `nil` for other runs.
  package var measurements: MeasurementProgress?
}

/// Everything about a run.
package struct RunDetails: Sendable, Encodable, Equatable {
  package var summary: RunSummary
  package var workflow, yaml, model, modelIdentity, data, dataIdentity, precision: String?
  package var seed: Int?
  package var settings: [RunDescription.Setting]
  /// One for each process that worked on the run.
  package var sessions: [Session]
  package var phases: [Phase]
  package var evaluations: [EvaluationRecord]
  package var warnings: [RunWarning]
  package var checksums: [Checksum]
  /// Those that an experiment needs, in the order in which it makes them.
  package var measurements: [MeasurementRecord]

  package struct Session: Sendable, Encodable, Equatable {
    package var started, alive: Double
    package var ended: Double?
    package var host: String
    package var process: Int
    package var environment: RunEnvironment
  }

  /// The steps of one phase.
  package struct Phase: Sendable, Encodable, Equatable {
    package var phase, round: Int
    package var task: String
    package var steps, tokens: Int
    package var seconds: Double
    package var lastLoss: Double?
    package var lastValidation: Validation?
  }

  package struct Validation: Sendable, Encodable, Equatable {
    package var totalStep: Int
    package var loss: Double?
    package var accuracy: Double?

    package init(totalStep: Int, loss: Double?, accuracy: Double?) {
      (self.totalStep, self.loss, self.accuracy) = (totalStep, loss, accuracy)
    }
  }

  package struct Checksum: Sendable, Encodable, Equatable {
    package var file, sha256: String

    package init(file: String, sha256: String) { (self.file, self.sha256) = (file, sha256) }
  }
}

extension RunStore {
  /// All runs, the newest first.
  ///
  /// - Throws: `Refusal` if the store cannot be read.
  package func runs() throws(Refusal) -> [RunSummary] {
    let now = Date().timeIntervalSince1970
    return try read { database in
      try Row.fetchAll(database, sql: Self.summaries + " ORDER BY runs.started DESC, runs.number DESC").map {
        try Self.summary(Fields($0), now: now)
      }
    }
  }

  /// The ID of the run that `name` means: an ID, the beginning of one, or a run's folder, of which the newest training
  /// is meant.
  ///
  /// - Throws: `Refusal` if there is none, or more than one.
  package func identifier(of name: String) throws(Refusal) -> String {
    let folder = name.isEmpty ? nil : stored(name)
    return try read { database in
      func identifiers(_ condition: String, _ arguments: StatementArguments) throws -> [String] {
        try Row.fetchAll(database, sql: "SELECT id FROM runs WHERE \(condition)", arguments: arguments).map {
          try Fields($0).text("id")
        }
      }
      if let exact = try identifiers("id = ?", [name.lowercased()]).first { return exact }
      // An evaluation has no folder of its own.
      let ofFolder = try identifiers("folder IN (?, ?) ORDER BY number DESC LIMIT 1", [folder, name])
      if let newest = ofFolder.first { return newest }
      let isPrefix = !name.isEmpty && name.allSatisfy(\.isHexDigit)
      let found =
        isPrefix ? try identifiers("substr(id, 1, ?) = ? ORDER BY id", [name.count, name.lowercased()]) : []
      if found.count == 1 { return found[0] }
      if found.count > 1 {
        throw Refusal(
          path,
          "'\(name)' is the beginning of \(found.count) runs: "
            + found.prefix(5).joined(separator: ", ") + (found.count > 5 ? ", …" : ""), "give more of the ID")
      }
      throw Refusal(
        path, "has no run '\(name)'",
        "give an ID of 'contexture runs list', the beginning of one, or the folder of a run")
    }
  }

  /// Everything about the run with this ID.
  ///
  /// - Throws: `Refusal` if there is none, or the store cannot be read.
  package func details(of id: String) throws(Refusal) -> RunDetails {
    let now = Date().timeIntervalSince1970
    let path = path
    return try read { database in
      guard let row = try Row.fetchOne(database, sql: Self.summaries + " WHERE runs.id = ?", arguments: [id])
      else { throw Refusal(path, "has no run '\(id)'", "give an ID of 'contexture runs list'") }
      let fields = Fields(row)
      let number = try fields.integer("number")
      func rows<Value>(_ sql: String, _ make: (Fields) throws -> Value) throws -> [Value] {
        try Row.fetchAll(database, sql: sql, arguments: [number]).map { try make(Fields($0)) }
      }
      return RunDetails(
        summary: try Self.summary(fields, now: now), workflow: try fields.optionalText("workflow"),
        yaml: try fields.optionalText("yaml"), model: try fields.optionalText("model"),
        modelIdentity: try fields.optionalText("modelIdentity"), data: try fields.optionalText("data"),
        dataIdentity: try fields.optionalText("dataIdentity"),
        precision: try fields.optionalText("precision"),
        seed: try fields.optionalInteger("seed"),
        settings: try rows("SELECT name, value FROM settings WHERE run = ? ORDER BY position") {
          RunDescription.Setting(try $0.text("name"), try $0.text("value"))
        },
        sessions: try rows("SELECT * FROM sessions WHERE run = ? ORDER BY number") {
          RunDetails.Session(
            started: try $0.number("started"), alive: try $0.number("alive"),
            ended: try $0.optionalNumber("ended"),
            host: try $0.text("host"), process: try $0.integer("process"), environment: try RunEnvironment($0)
          )
        },
        phases: try Self.phases(number, database), evaluations: try Self.evaluations(number, database),
        warnings: try rows("SELECT * FROM warnings WHERE run = ? ORDER BY number") {
          RunWarning(
            totalStep: try $0.count("totalStep"), kind: try $0.text("kind"), task: try $0.text("task"),
            text: try $0.text("text"))
        },
        checksums: try rows("SELECT file, sha256 FROM checksums WHERE run = ? ORDER BY file") {
          RunDetails.Checksum(file: try $0.text("file"), sha256: try $0.text("sha256"))
        },
        measurements: try Measurements.read(run: Int64(number), database))
    }
  }

  /// One row for each run. The evaluations of a training are those of other runs whose subject it is.
  private static let summaries = """
    WITH last AS (
      SELECT COALESCE(runs.subject, runs.number) AS run, MAX(evaluations.number) AS evaluation
      FROM evaluations JOIN runs ON runs.number = evaluations.run
      WHERE evaluations.isBase = 0 GROUP BY 1
    ), own AS (
      SELECT run, MAX(number) AS evaluation FROM evaluations GROUP BY 1
    ), accuracies AS (
      SELECT evaluation, AVG(CAST(chainedCorrect AS REAL) / chainedCount) AS accuracy
      FROM evaluationTasks WHERE chainedCount > 0 GROUP BY 1
    )
    SELECT runs.*, subjects.id AS subjectID, sessions.host, sessions.boot, sessions.namespace, sessions.process,
      sessions.processStart,
      (SELECT TOTAL(MAX(COALESCE(s.ended, s.alive) - s.started, 0)) FROM sessions s WHERE s.run = runs.number)
        AS seconds,
      (SELECT totalStep FROM metrics m WHERE m.run = runs.number ORDER BY totalStep DESC LIMIT 1) AS steps,
      (SELECT loss FROM metrics m WHERE m.run = runs.number ORDER BY totalStep DESC LIMIT 1) AS lastLoss,
      (SELECT accuracy FROM accuracies WHERE evaluation = COALESCE(own.evaluation, last.evaluation)) AS accuracy,
      (SELECT COUNT(*) FROM measurements m WHERE m.run = runs.number) AS planned,
      (SELECT COUNT(*) FROM measurements m WHERE m.run = runs.number AND m.state <> 'missing') AS done
    FROM runs
    LEFT JOIN runs subjects ON subjects.number = runs.subject
    LEFT JOIN last ON last.run = runs.number
    LEFT JOIN own ON own.run = runs.number
    LEFT JOIN sessions ON sessions.run = runs.number
      AND sessions.number = (SELECT MAX(number) FROM sessions s WHERE s.run = runs.number)
    """

  private static func summary(_ fields: Fields, now: Double) throws -> RunSummary {
    let kind = try fields.text("kind")
    let steps = try fields.optionalInteger("steps") ?? 0
    let alive = try fields.number("alive")
    let message = try fields.optionalText("message")
    let state: RunState
    switch try fields.optionalText("outcome") {
    case "finished": state = .finished
    case "stopped": state = .stopped
    case "failed": state = .failed(message ?? "")
    case nil:
      state = .unfinished(
        silence: now - alive, process: try ProcessIdentity(fields),
        steps: kind == RunKind.train.rawValue ? steps : nil)
    case let other?: throw StoreFile.Damage(detail: "'\(other)' is not an outcome")
    }
    let progress = MeasurementProgress(done: try fields.count("done"), planned: try fields.count("planned"))
    return RunSummary(
      id: try fields.text("id"), kind: kind, name: try fields.text("name"),
      folder: try fields.optionalText("folder"), state: state, message: message,
      started: try fields.number("started"), alive: alive, ended: try fields.optionalNumber("ended"),
      seconds: try fields.number("seconds"), steps: steps, lastLoss: try fields.optionalNumber("lastLoss"),
      accuracy: try fields.optionalNumber("accuracy"), subject: try fields.optionalText("subjectID"),
      measurements: kind == RunKind.experiment.rawValue ? progress : nil)
  }

  private static func phases(_ run: Int, _ database: Database) throws -> [RunDetails.Phase] {
    // SQLite takes the other columns from the row that has the maximum.
    var validations: [Int: RunDetails.Validation] = [:]
    for row in try Row.fetchAll(
      database,
      sql: """
        SELECT phase, MAX(totalStep) AS totalStep, validationLoss, validationAccuracy FROM metrics
        WHERE run = ? AND (validationLoss IS NOT NULL OR validationAccuracy IS NOT NULL) GROUP BY phase
        """, arguments: [run])
    {
      let fields = Fields(row)
      validations[try fields.integer("phase")] = RunDetails.Validation(
        totalStep: try fields.count("totalStep"), loss: try fields.optionalNumber("validationLoss"),
        accuracy: try fields.optionalNumber("validationAccuracy"))
    }
    return try Row.fetchAll(
      database,
      sql: """
        SELECT phase, round, task, COUNT(*) AS steps, CAST(TOTAL(tokens) AS INTEGER) AS tokens, TOTAL(seconds) AS seconds,
          MAX(totalStep), loss FROM metrics WHERE run = ? GROUP BY phase ORDER BY phase
        """, arguments: [run]
    ).map { row in
      let fields = Fields(row)
      let phase = try fields.integer("phase")
      return RunDetails.Phase(
        phase: phase, round: try fields.integer("round"), task: try fields.text("task"),
        steps: try fields.count("steps"), tokens: try fields.count("tokens"),
        seconds: try fields.number("seconds"),
        lastLoss: try fields.optionalNumber("loss"), lastValidation: validations[phase])
    }
  }

  /// The evaluations of a run, or those that measured it, the newest last.
  private static func evaluations(_ run: Int, _ database: Database) throws -> [EvaluationRecord] {
    try Row.fetchAll(
      database,
      sql: """
        SELECT evaluations.* FROM evaluations JOIN runs ON runs.number = evaluations.run
        WHERE ? IN (evaluations.run, runs.subject) ORDER BY evaluations.number
        """, arguments: [run]
    ).map { row in
      let fields = Fields(row)
      let tasks = try Row.fetchAll(
        database, sql: "SELECT * FROM evaluationTasks WHERE evaluation = ? ORDER BY position",
        arguments: [try fields.integer("number")]
      ).map { row in
        let fields = Fields(row)
        return EvaluationRecord.Task(
          task: try fields.text("task"),
          gold: (try fields.count("goldCorrect"), try fields.count("goldCount")),
          chained: (try fields.count("chainedCorrect"), try fields.count("chainedCount")))
      }
      return EvaluationRecord(
        split: try fields.text("split"), data: try fields.text("data"),
        isBase: try fields.integer("isBase") != 0, episodes: try fields.count("episodes"),
        allRight: try fields.count("allRight"), tasks: tasks)
    }
  }
}
