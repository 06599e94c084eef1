import RunStore
import Foundation
import GRDB
import InputErrors
import Locking
import Testing

@Suite("Recording runs") struct RecordingTests {
  @Test func whatIsRecordedIsReadAgain() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      let run = try store.begin(.training(folder.appendingPathComponent("run").path), in: .test)
      for step in 1...3 { run.record(StepMetrics.at(step)) }
      var validated = StepMetrics.at(4, task: "b", phase: 1)
      (validated.validationLoss, validated.validationAccuracy) = (0.25, 0.75)
      run.record(validated)
      run.record(RunWarning(totalStep: 4, kind: "not learnt", task: "b", text: "b: not learnt"))
      run.record(file: "adapter.safetensors", checksum: "ab")
      run.finish(.finished)

      let reader = try RunStore(reading: path)
      let list = try reader.runs()
      #expect(list.count == 1)
      let summary = try #require(list.first)
      #expect(summary.id == run.id && summary.folder == "run" && summary.state == .finished)
      #expect(summary.steps == 4 && summary.lastLoss == 0.25 && summary.accuracy == nil)
      let details = try reader.details(of: run.id)
      #expect(details.settings.map(\.name) == ["training.learningRate", "lora.rank"])
      #expect(details.seed == 7 && details.precision == "float32" && details.yaml == "name: w\n")
      #expect(details.phases.map(\.steps) == [3, 1] && details.phases.map(\.tokens) == [30, 10])
      #expect(details.phases[0].lastLoss == 1.0 / 3 && details.phases[0].lastValidation == nil)
      #expect(details.phases[1].lastValidation == .init(totalStep: 4, loss: 0.25, accuracy: 0.75))
      #expect(details.warnings.map(\.kind) == ["not learnt"])
      #expect(details.checksums == [.init(file: "adapter.safetensors", sha256: "ab")])
      #expect(details.sessions.map(\.environment) == [.test])
    }
  }

  @Test func aResumedRunIsTheSameOneWithoutTheStepsAfterItsCheckpoint() throws {
    try withStore { folder, path in
      let out = folder.appendingPathComponent("run").path
      let first = try RunStore(path).begin(.training(out), in: .test)
      for step in 1...5 { first.record(StepMetrics.at(step)) }
      for step in [2, 5] { first.record(RunWarning(totalStep: step, kind: "k", task: "a", text: "t\(step)")) }
      first.finish(.failed("the disk is full"))
      let store = try RunStore(path)
      #expect(try store.runs().first?.state == .failed("the disk is full"))

      let second = try store.begin(.training(out), in: .test, resumingAfter: 3)
      #expect(second.id == first.id)
      var details = try store.details(of: second.id)
      #expect(details.summary.steps == 3 && details.summary.state == .running)
      #expect(details.warnings.map(\.text) == ["t2"] && details.sessions.count == 2)
      second.record(StepMetrics.at(4))
      second.finish(.stopped)
      details = try store.details(of: second.id)
      #expect(
        details.summary.steps == 4 && details.summary.state == .stopped && details.summary.message == nil)

      // Another workflow in that folder, and a new training there, are other runs.
      let other = try store.begin(.training(out, yaml: "name: v\n"), in: .test, resumingAfter: 3)
      let fresh = try store.begin(.training(out), in: .test)
      #expect(Set([first.id, other.id, fresh.id]).count == 3)
      #expect(try store.identifier(of: out) == fresh.id)
    }
  }

  @Test func evaluationsCountForTheTrainingInTheirFolder() throws {
    try withStore { folder, path in
      let out = folder.appendingPathComponent("run").path
      let store = try RunStore(path)
      let training = try store.begin(.training(out), in: .test)
      training.finish(.finished)
      func evaluate(right: Int, isBase: Bool) throws -> String {
        let run = try store.begin(
          RunDescription(.evaluate, name: "run"), in: .test, subject: out)
        run.record(
          EvaluationRecord(
            split: "test", data: "data", isBase: isBase, episodes: 10, allRight: 1,
            tasks: [
              .init(task: "a", gold: (10, 10), chained: (10, 10)),
              .init(task: "b", gold: (9, 10), chained: (right, 10)),
            ]))
        run.finish(.finished)
        return run.id
      }
      let first = try evaluate(right: 6, isBase: false)
      let base = try evaluate(right: 0, isBase: true)
      let runs = Dictionary(uniqueKeysWithValues: try store.runs().map { ($0.id, $0) })
      #expect(runs[training.id]?.accuracy == 0.8)
      #expect(runs[first]?.accuracy == 0.8 && runs[first]?.subject == training.id)
      #expect(runs[base]?.accuracy == 0.5)
      #expect(try store.details(of: training.id).evaluations.map(\.isBase) == [false, true])
    }
  }

  @Test func recordsAreWrittenWithoutBeingAskedFor() throws {
    try withStore { folder, path in
      let run = try RunStore(path).begin(.training(folder.path), in: .test)
      run.record(StepMetrics.at(1))
      let reader = try RunStore(reading: path)
      let end = ContinuousClock.now + .seconds(60)
      while try reader.details(of: run.id).summary.steps == 0, ContinuousClock.now < end {
        Thread.sleep(forTimeInterval: 0.01)
      }
      #expect(try reader.details(of: run.id).summary.steps == 1)
      withExtendedLifetime(run) {}
    }
  }

  @Test func aHandleThatIsLetGoWritesWhatItHas() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      do {
        let run = try store.begin(.training(folder.path), in: .test)
        run.record(StepMetrics.at(1))
      }
      #expect(try store.runs().map(\.steps) == [1])
    }
  }

  @Test func manyWritersShareAFile() throws {
    try withStore { folder, path in
      // Each with a connection of its own, and all of them make the store.
      let failures = Locked<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 8) { index in
        do {
          let store = try RunStore(path)
          for part in 0..<3 {
            let run = try store.begin(
              .training(folder.appendingPathComponent("\(index).\(part)").path), in: .test
            ) { refusal in failures.withLock { $0.append("\(refusal)") } }
            for step in 1...200 { run.record(StepMetrics.at(step)) }
            run.flush()
            run.finish(.finished)
          }
        } catch { failures.withLock { $0.append("\(error)") } }
      }
      #expect(failures.withLock { $0 } == [])
      let runs = try RunStore(reading: path).runs()
      #expect(runs.count == 24 && runs.allSatisfy { $0.steps == 200 && $0.state == .finished })
    }
  }

  @Test func manyMakeTheSameStore() throws {
    try withStore { folder, _ in
      let failures = Locked<[String]>([])
      for round in 0..<20 {
        let path = folder.appendingPathComponent("\(round)").path
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
          do { _ = try RunStore(path) } catch { failures.withLock { $0.append("\(error)") } }
        }
      }
      #expect(failures.withLock { $0 } == [])
    }
  }

  @Test func aStoreThatCannotBeWrittenAnyMoreIsReportedOnce() throws {
    try withStore { folder, path in
      let failures = Locked<[String]>([])
      let store = try RunStore(path)
      let run = try store.begin(.training(folder.path), in: .test) { refusal in
        failures.withLock { $0.append("\(refusal)") }
      }
      try DatabaseQueue(path: path, configuration: .patient).write {
        try $0.execute(sql: "DROP TABLE metrics")
      }
      for step in 1...3 {
        run.record(StepMetrics.at(step))
        run.flush()
      }
      run.finish(.finished)
      let messages = failures.withLock { $0 }
      #expect(
        messages.count == 1 && messages[0].contains("is damaged (no such table: metrics)"), "\(messages)")
    }
  }

  @Test func numbersThatAreNotFiniteAreAbsent() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      let run = try store.begin(.training(folder.path), in: .test)
      var step = StepMetrics.at(1)
      (step.loss, step.gradientNorm, step.seconds) = (.nan, .infinity, .nan)
      run.record(step)
      run.finish(.finished)
      let summary = try #require(try store.runs().first)
      #expect(summary.steps == 1 && summary.lastLoss == nil)
    }
  }
}
