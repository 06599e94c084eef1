import Dispatch
import Foundation
import GRDB
import InputErrors
import Locking

/// Records one run while it is in progress.
///
/// Nothing here throws or waits for the disk, except ``flush()`` and ``finish(_:)``: records are kept in memory and written by another
/// thread, in batches that are at most half a second old. So a process that is killed loses at most the records of its
/// last second. If the store cannot be written, that is reported once, and the rest of the run is not recorded.
package final class RunHandle: Sendable {
  /// The run's ID, unique in the store.
  package let id: String
  private let writer: RunWriter
  /// Dispatch's objects may be used from any thread.
  private nonisolated(unsafe) let timer: any DispatchSourceTimer

  init(id: String, _ writer: RunWriter) {
    (self.id, self.writer) = (id, writer)
    timer = DispatchSource.makeTimerSource(queue: writer.queue)
    timer.schedule(deadline: .now() + RunWriter.interval, repeating: RunWriter.interval)
    // Weak: Dispatch lets go of a cancelled timer's handler some time later, and the store would stay open until then.
    timer.setEventHandler { [weak writer] in writer?.flush() }
    timer.activate()
  }

  deinit {
    timer.cancel()
    let writer = writer
    writer.queue.sync { writer.flush() }
  }

  package func record(_ step: StepMetrics) { writer.add(.step(step)) }

  package func record(_ warning: RunWarning) { writer.add(.warning(warning)) }

  package func record(_ evaluation: EvaluationRecord) {
    writer.add(.evaluation(evaluation, time: Date().timeIntervalSince1970))
  }

  /// - Parameters:
  ///   - file: the file's name within the run folder.
  ///   - checksum: its SHA-256 in hexadecimal.
  package func record(file: String, checksum: String) { writer.add(.checksum(file: file, sha256: checksum)) }

  /// Records the state and the values of a measurement that the run began with; a value that is not finite is left out.
  package func record(_ measurement: MeasurementRecord) { writer.add(.measurement(measurement)) }

  /// Writes what is left and how the run ended. Later records are ignored.
  package func finish(_ outcome: RunOutcome) {
    timer.cancel()
    writer.queue.sync {
      writer.add(.end(outcome, time: Date().timeIntervalSince1970))
      writer.flush(isLast: true)
    }
  }

  /// Writes what is left, and waits for it.
  package func flush() { writer.queue.sync { writer.flush() } }
}

/// Writes the records of a run in batches.
final class RunWriter: Sendable {
  /// Seconds between batches.
  static let interval = 0.5
  /// Seconds between signs of life if there is nothing else to write.
  private static let heartbeat = 10.0

  enum Operation: Sendable {
    case step(StepMetrics)
    case warning(RunWarning)
    case evaluation(EvaluationRecord, time: Double)
    case checksum(file: String, sha256: String)
    case measurement(MeasurementRecord)
    case end(RunOutcome, time: Double)
  }

  private struct State {
    var pending: [Operation] = []
    var lastWrite: Double
    /// Whether the run has ended or cannot be written.
    var isClosed = false
  }

  /// Runs one flush at a time.
  let queue = DispatchQueue(label: "RunStore", qos: .utility)
  private let store: RunStore
  private let run: Int64
  private let session: Int
  private let state: Locked<State>
  private let onFailure: @Sendable (Refusal) -> Void

  init(
    _ store: RunStore, run: Int64, session: Int, now: Double, onFailure: @escaping @Sendable (Refusal) -> Void
  ) {
    (self.store, self.run, self.session, self.onFailure) = (store, run, session, onFailure)
    state = Locked(State(lastWrite: now))
  }

  func add(_ operation: Operation) {
    state.withLock { if !$0.isClosed { $0.pending.append(operation) } }
  }

  /// Writes what is pending; called on `queue`.
  func flush(isLast: Bool = false) {
    let now = Date().timeIntervalSince1970
    let batch = state.withLock { state -> [Operation]? in
      let isDue = !state.pending.isEmpty || now - state.lastWrite >= Self.heartbeat || now < state.lastWrite
      guard !state.isClosed, isDue else { return nil }
      if isLast { state.isClosed = true }
      return state.pending
    }
    guard let batch else { return }
    do {
      try store.write { database in
        for operation in batch { try write(operation, database) }
        try database.execute(
          sql: "UPDATE runs SET alive = ? WHERE number = ?", arguments: [now, run])
        try database.execute(
          sql: "UPDATE sessions SET alive = ? WHERE run = ? AND number = ?", arguments: [now, run, session])
      }
      state.withLock { state in
        state.pending.removeFirst(batch.count)
        state.lastWrite = now
      }
    } catch let error as DatabaseError
      where [.SQLITE_BUSY, .SQLITE_LOCKED].contains(error.resultCode) && !isLast
    {
      // The batch stays, and is tried again.
    } catch {
      state.withLock { state in
        state.isClosed = true
        state.pending = []
      }
      do { try store.translated { throw error } } catch { onFailure(error) }
    }
  }

  private func write(_ operation: Operation, _ database: Database) throws {
    switch operation {
    case .step(let step): try write(step, database)
    case .warning(let warning):
      try database.execute(
        sql: "INSERT INTO warnings (run, totalStep, kind, task, text) VALUES (?, ?, ?, ?, ?)",
        arguments: [run, warning.totalStep, warning.kind, warning.task, warning.text])
    case .evaluation(let evaluation, let time): try write(evaluation, time, database)
    case .checksum(let file, let sha256):
      try database.execute(
        sql: "INSERT OR REPLACE INTO checksums (run, file, sha256) VALUES (?, ?, ?)",
        arguments: [run, file, sha256])
    case .measurement(let measurement): try Measurements.write(measurement, run: run, database)
    case .end(let outcome, let time):
      try database.execute(
        sql: "UPDATE runs SET ended = ?, outcome = ?, message = ? WHERE number = ?",
        arguments: [time, outcome.name, outcome.message, run])
      try database.execute(
        sql: "UPDATE sessions SET ended = ? WHERE run = ? AND number = ?", arguments: [time, run, session])
    }
  }

  private func write(_ step: StepMetrics, _ database: Database) throws {
    func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }
    try database.cachedStatement(
      sql: """
        INSERT OR REPLACE INTO metrics (run, totalStep, phase, round, task, step, loss, gradientNorm, learningRate, \
        tokens, seconds, validationLoss, validationAccuracy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      run, step.totalStep, step.phase, step.round, step.task, step.step, finite(step.loss),
      finite(step.gradientNorm), finite(step.learningRate), step.tokens, finite(step.seconds) ?? 0,
      finite(step.validationLoss), finite(step.validationAccuracy),
    ])
  }

  private func write(_ evaluation: EvaluationRecord, _ time: Double, _ database: Database) throws {
    try database.execute(
      sql: """
        INSERT INTO evaluations (run, time, split, data, isBase, episodes, allRight) VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        run, time, evaluation.split, evaluation.data, evaluation.isBase ? 1 : 0, evaluation.episodes,
        evaluation.allRight,
      ])
    let number = database.lastInsertedRowID
    for (position, task) in evaluation.tasks.enumerated() {
      try database.execute(
        sql: "INSERT INTO evaluationTasks VALUES (?, ?, ?, ?, ?, ?, ?)",
        arguments: [
          number, position, task.task, task.goldCorrect, task.goldCount, task.chainedCorrect,
          task.chainedCount,
        ])
    }
  }
}
