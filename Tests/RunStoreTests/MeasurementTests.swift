import Foundation
import GRDB
import InputErrors
import RunStore
import Testing

@Suite("Recording experiments") struct MeasurementTests {
  private func record(_ seed: Int, _ state: MeasurementRecord.State, allRight: Double = 0.5)
    -> MeasurementRecord
  {
    var record = MeasurementRecord(
      checksum: "c\(seed)", experiments: ["table", "delta"], benchmark: "iov", method: "joint", seed: seed)
    record.state = state
    if state != .missing {
      record.values = [.init("allRight", allRight), .init(task: "a", "gold", 1), .init(task: "b", "gold", 0)]
    }
    return record
  }

  private func begin(
    _ store: RunStore, _ folder: URL, _ measurements: [MeasurementRecord]
  ) throws -> RunHandle {
    try store.begin(
      RunDescription(.experiment, name: "table", folder: folder.appendingPathComponent("out").path),
      in: .test,
      resumingAfter: .max, measurements: measurements)
  }

  @Test func measurementsAreRecordedAsTheyAreMade() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      let run = try begin(store, folder, [record(2, .missing), record(1, .known), record(3, .missing)])
      #expect(try store.runs().first?.measurements == .init(done: 1, planned: 3))
      var measured = record(2, .measured, allRight: 0.75)
      measured.values.append(.init("seconds", .nan))
      run.record(measured)
      run.flush()
      let details = try store.details(of: run.id)
      measured.values.removeLast()
      #expect(details.measurements == [measured, record(1, .known), record(3, .missing)])
      #expect(details.summary.measurements?.text == "2 of 3 measurements")
      #expect(measured.mean("gold") == 0.5 && measured.mean("chained") == nil)
      run.finish(.stopped)
      #expect(try store.runs().first?.state == .stopped)
    }
  }

  @Test func theSameMeasurementsInTheSameFolderAreTheSameRun() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      let first = try begin(store, folder, [record(1, .missing), record(2, .missing)])
      // While its process is there, it is not continued by another one.
      #expect(try begin(store, folder, [record(1, .missing), record(2, .missing)]).id != first.id)
    }
    try withStore { folder, path in
      let store = try RunStore(path)
      let first = try begin(store, folder, [record(1, .missing), record(2, .missing), record(3, .known)])
      first.record(record(1, .measured))
      first.finish(.stopped)

      let second = try begin(store, folder, [record(1, .known), record(2, .known), record(3, .missing)])
      #expect(second.id == first.id)
      let details = try store.details(of: first.id)
      // What it measured itself stays, with its times; a result that has disappeared is missing again.
      #expect(details.measurements == [record(1, .measured), record(2, .known), record(3, .missing)])
      #expect(details.summary.state == .running && details.sessions.count == 2)
      second.finish(.finished)

      let other = try begin(store, folder, [record(1, .known), record(2, .known)])
      #expect(other.id != first.id)
      other.finish(.finished)
    }
  }

  @Test func anExperimentThatDiedIsNotAtAStep() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      let run = try begin(store, folder, [record(1, .missing)])
      run.flush()
      try DatabaseQueue(path: path, configuration: .patient).write { database in
        try database.execute(sql: "UPDATE runs SET alive = 0; UPDATE sessions SET processStart = 1")
      }
      let state = try store.runs().first?.state
      #expect(state == .died(step: nil) && state?.text == "died")
      withExtendedLifetime(run) {}
    }
  }

  @Test func anotherStateIsDamage() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      let run = try begin(store, folder, [record(1, .known)])
      run.finish(.finished)
      try DatabaseQueue(path: path, configuration: .patient).write {
        try $0.execute(sql: "UPDATE measurements SET state = 'guessed'")
      }
      let error = #expect(throws: Refusal.self) { _ = try store.details(of: run.id) }
      #expect(error?.problem.contains("'guessed' is not a state of a measurement") == true)
    }
  }

  @Test func aStoreOfTheFirstFormatIsUpgraded() throws {
    try withStore { folder, path in
      try DatabaseQueue(path: path, configuration: .patient).write { database in
        try database.execute(sql: Schema.migrations[0])
        try database.execute(sql: "PRAGMA application_id = \(0x4354_5872); PRAGMA user_version = 1")
      }
      #expect(try RunStore(reading: path).runs().isEmpty)
      let run = try begin(try RunStore(path), folder, [record(1, .known)])
      run.finish(.finished)
      #expect(try RunStore(reading: path).runs().map(\.measurements) == [.init(done: 1, planned: 1)])
    }
  }

  @Test func aFolderIsFoundFromTheStore() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      for place in [folder.path, folder.appendingPathComponent("a/b").path, "/elsewhere"] {
        let found = store.location(of: store.stored(place))
        #expect(store.stored(found) == store.stored(place) && found.hasPrefix("/"))
      }
    }
  }
}
