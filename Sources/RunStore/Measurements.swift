import Foundation
import GRDB

/// The tables of measurements.
enum Measurements {
  private static let separator = ", "

  /// What a run needs, for a run that may have been there before: what it measured stays, unless the result has
  /// disappeared since.
  static func plan(_ all: [MeasurementRecord], run: Int64, _ database: Database) throws {
    let old = Dictionary(
      try read(run: run, database).map { ($0.checksum, $0.state) }, uniquingKeysWith: { first, _ in first })
    for (position, measurement) in all.enumerated() {
      try database.cachedStatement(
        sql: """
          INSERT INTO measurements (run, checksum, position, experiments, benchmark, method, seed, state) \
          VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, checksum) DO NOTHING
          """
      ).execute(arguments: [
        run, measurement.checksum, position, measurement.experiments.joined(separator: separator),
        measurement.benchmark, measurement.method, measurement.seed,
        MeasurementRecord.State.missing.rawValue,
      ])
      if measurement.state == .known, [.known, .measured].contains(old[measurement.checksum]) { continue }
      try write(measurement, run: run, database)
    }
  }

  /// The state and the values of a measurement that is planned.
  static func write(_ measurement: MeasurementRecord, run: Int64, _ database: Database) throws {
    try database.cachedStatement(sql: "UPDATE measurements SET state = ? WHERE run = ? AND checksum = ?")
      .execute(arguments: [measurement.state.rawValue, run, measurement.checksum])
    try database.cachedStatement(sql: "DELETE FROM measurementValues WHERE run = ? AND checksum = ?")
      .execute(arguments: [run, measurement.checksum])
    for value in measurement.values where value.value.isFinite {
      try database.cachedStatement(sql: "INSERT OR REPLACE INTO measurementValues VALUES (?, ?, ?, ?, ?)")
        .execute(arguments: [run, measurement.checksum, value.task, value.metric, value.value])
    }
  }

  /// The measurements of a run, in the order of its plan.
  static func read(run: Int64, _ database: Database) throws -> [MeasurementRecord] {
    var values: [String: [MeasurementRecord.Value]] = [:]
    for row in try Row.fetchAll(
      database, sql: "SELECT * FROM measurementValues WHERE run = ? ORDER BY task, metric", arguments: [run])
    {
      let fields = Fields(row)
      values[try fields.text("checksum"), default: []].append(
        .init(
          task: try fields.text("task"), try fields.text("metric"), try fields.number("value")))
    }
    return try Row.fetchAll(
      database, sql: "SELECT * FROM measurements WHERE run = ? ORDER BY position, checksum", arguments: [run]
    ).map { row in
      let fields = Fields(row)
      let checksum = try fields.text("checksum")
      var measurement = MeasurementRecord(
        checksum: checksum,
        experiments: try fields.text("experiments").components(separatedBy: separator),
        benchmark: try fields.text("benchmark"), method: try fields.text("method"),
        seed: try fields.integer("seed"))
      let state = try fields.text("state")
      guard let known = MeasurementRecord.State(rawValue: state) else {
        throw StoreFile.Damage(detail: "'\(state)' is not a state of a measurement")
      }
      (measurement.state, measurement.values) = (known, values[checksum] ?? [])
      return measurement
    }
  }
}
