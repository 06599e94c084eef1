import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import SafeFiles
import TaskGraph
import TestSupport
import Testing
import TrainingFixtures

/// Temporary folders.
enum TestFolder {
  static func with<T>(_ body: (URL) throws -> T) throws -> T { try Fixtures.withTemporaryDirectory(body) }
}

extension Range<Data.Index> {
  /// `bytes` with this range replaced by `text`.
  fileprivate func withReplaced(_ bytes: Data, _ text: String) -> Data {
    var bytes = bytes
    bytes.replaceSubrange(self, with: Data(text.utf8))
    return bytes
  }
}

/// A stopped and resumed run ends with the same bytes as an uninterrupted one.
struct ResumeTests {
  private func destination(_ folder: URL) -> CheckpointDestination {
    CheckpointDestination(
      url: folder.appendingPathComponent("checkpoint.safetensors"), workflow: "w", model: "m")
  }

  @Test("stopped after each step in turn", arguments: [false, true], BlockStart.allCases)
  func everyStep(predictions: Bool, start: BlockStart) throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5, freezeRule: .importance, usesPredictions: predictions)
      var options = tiny.options
      options.blockStart = start
      let whole = tiny.trainer(options: options)
      var records: [StepRecord] = []
      #expect(
        try whole.run(to: destination(folder)) { if case .step(let record) = $0 { records.append(record) } })
      let bytes = try Data(contentsOf: destination(folder).url)

      for stop in 1..<records.count {
        let again = try TinyWorkflow(
          frozenRatio: 0.5, freezeRule: .importance, usesPredictions: predictions)
        var resumed: [StepRecord] = []
        func note(_ event: TrainingEvent) { if case .step(let record) = event { resumed.append(record) } }
        let first = try again.trainer(options: options).run(
          to: destination(folder), shouldStop: { resumed.count == stop }, onEvent: note)
        #expect(!first)
        let checkpoint = try TrainingCheckpoint(destination(folder).url, modules: tiny.adapter.modules)
        #expect(checkpoint.position.totalSteps == stop)
        let second = try again.trainer(options: options).run(
          from: checkpoint, to: destination(folder), onEvent: note)
        #expect(second)
        #expect(resumed.map(\.loss) == records.map(\.loss), "stopped after step \(stop)")
        #expect(try Data(contentsOf: destination(folder).url) == bytes, "stopped after step \(stop)")
      }
    }
  }

  @Test("a damaged checkpoint is refused, wherever the damage is")
  func damage() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      _ = try tiny.trainer().run(to: destination(folder), shouldStop: { true }) { _ in }
      let url = destination(folder).url
      let bytes = try Data(contentsOf: url)
      for index in stride(from: bytes.count - 1, to: 0, by: -bytes.count / 40) {
        var damaged = bytes
        damaged[index] ^= 0x10
        try damaged.write(to: url)
        let read = try? TrainingCheckpoint(url, modules: tiny.adapter.modules)
        #expect(read == nil, "byte \(index)")
      }
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.contains(#"\"phase\":0"#))
      try #require(bytes.firstRange(of: Data(#"\"phase\":0"#.utf8))).withReplaced(bytes, #"\"phase\":1"#)
        .write(to: url)
      #expect(throws: FileError.self) { try TrainingCheckpoint(url, modules: tiny.adapter.modules) }
    }
  }

  @Test("a checkpoint after many short cycles can be read")
  func manyCycles() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      tiny.scores = { _, _ in ValidationScore(loss: 1, correct: 4, count: 10) }
      var options = tiny.options
      options.plannedSteps = 1
      options.validation = TrainingOptions.Validation(every: 1, budget: TrainingOptions.Budget(steps: 200))
      var steps = 0
      _ = try tiny.trainer(options: options).run(to: destination(folder), shouldStop: { steps == 100 }) {
        if case .step = $0 { steps += 1 }
      }
      let checkpoint = try TrainingCheckpoint(destination(folder).url, modules: tiny.adapter.modules)
      #expect(checkpoint.position.progress.map { $0.pace.restarts > 64 } == true)
      #expect(
        tiny.resumed(options, validationEpisodes: 10).contradiction(of: checkpoint) == nil)
    }
  }

  @Test("a phase of a later round never ends worse than it began")
  func laterRounds() throws {
    var ended: [[UInt32]] = []
    for rounds in 1...2 {
      let tiny = try TinyWorkflow(frozenRatio: 1, rounds: rounds)
      // Three validations in the first round, then one at the start of the second.
      tiny.scores = { ValidationScore(loss: 1, correct: $1 <= 4 ? 10 : 5, count: 10) }
      var options = tiny.options
      options.validation = TrainingOptions.Validation(
        every: 2, budget: TrainingOptions.Budget(steps: options.stepCount(task: "a", samples: 10)))
      let trainer = tiny.trainer(options: options)
      var warnings: [String] = []
      #expect(
        try trainer.run(to: nil) { if case .warning(let warning, _) = $0 { warnings.append(warning.name) } })
      #expect(warnings.isEmpty)
      ended.append(trainer.adapter.bits(of: Array(0..<8)))
    }
    #expect(ended[0] == ended[1])
  }

  @Test("a checkpoint that contradicts its workflow is rejected, even if its checksum matches")
  func contradictions() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5, usesPredictions: true)
      tiny.scores = { task, validation in
        ValidationScore(loss: 1, correct: task == "a" ? 10 : validation, count: 10)
      }
      var options = tiny.options
      options.validation = TrainingOptions.Validation(every: 2)
      var steps = 0
      _ = try tiny.trainer(options: options).run(to: destination(folder), shouldStop: { steps == 9 }) {
        if case .step = $0 { steps += 1 }
      }
      let url = destination(folder).url
      let good = try TrainingCheckpoint(url, modules: tiny.adapter.modules)
      try #require(good.position.phase == 1 && good.best != nil && !good.history.isEmpty)
      func contradiction(_ change: (inout TrainingCheckpoint) throws -> Void) throws -> String? {
        var bad = good
        try change(&bad)
        // Written and read again, so that its checksum matches its content.
        try bad.write(to: url)
        return tiny.resumed(options, validationEpisodes: 10).contradiction(
          of: try TrainingCheckpoint(url, modules: tiny.adapter.modules))
      }
      #expect(try contradiction { _ in } == nil)
      let changes: [(String, (inout TrainingCheckpoint) throws -> Void)] = [
        ("a negative phase", { $0.position.phase = -1 }), ("a phase too many", { $0.position.phase = 5 }),
        ("an ended run in a phase", { $0.position.phase = 4 }),
        ("negative steps", { $0.position.totalSteps = -1 }),
        ("too many steps", { $0.position.totalSteps = .max }), ("another step", { $0.position.step = 7 }),
        ("a negative epoch", { $0.position.epoch = -1 }), ("a sample too many", { $0.position.sample = 10 }),
        ("a negative sample", { $0.position.sample = -1 }),
        ("a frozen column that is its own", { $0.position.frozen = [2] }),
        ("a frozen column beyond the rank", { $0.position.frozen = [99] }),
        ("no frozen columns", { $0.position.frozen = [] }),
        ("other trained columns", { $0.position.trainable = [0] }),
        ("a moment too short", { $0.optimizer?.firstMoment.removeLast() }),
        ("no second moment", { $0.optimizer?.secondMoment = [] }),
        ("a short history", { $0.history[0].removeLast() }),
        ("a long history", { $0.history += $0.history }), ("a short best state", { $0.best?.removeLast() }),
        ("a best state of other columns", { $0.position.bestColumns = [6, 7] }),
        (
          "a best state of frozen columns",
          {
            let columns = ($0.position.trainable + $0.position.frozen).sorted()
            let layout = TrainableLayout(modules: $0.adapter.modules, columns: columns.count)
            ($0.position.bestColumns, $0.best) = (columns, [Float](repeating: 0, count: layout.count))
          }
        ),
        (
          "an end beyond the budget",
          {
            let text = String(decoding: try JSONEncoder().encode($0.position.progress), as: UTF8.self)
            let later = text.replacing(/"end":\d+/, with: "\"end\":1000000")
            $0.position.progress = try JSONDecoder().decode(PhaseProgress.self, from: Data(later.utf8))
          }
        ),
        (
          "another scale",
          {
            $0.adapter = LoRAAdapter(modules: $0.adapter.modules, rank: 8, scale: 3, pairs: $0.adapter.pairs)
          }
        ),
        (
          "an unknown prerequisite",
          {
            $0.position.progress?.prerequisites["x"] = ValidationScore(loss: 1, correct: 1, count: 1)
          }
        ),
      ]
      for (name, change) in changes { #expect(try contradiction(change) != nil, "\(name)") }
    }
  }

  @Test("a training that diverges in its last step says so, and writes nothing that is not a number")
  func divergedAtTheEnd() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      var options = tiny.options
      options.plannedSteps = 1
      options.learningRate = LearningRateSchedule(peak: 1e39)
      var losses: [Double] = []
      let error = #expect(throws: TrainingError.self) {
        try tiny.trainer(options: options).run(to: destination(folder)) {
          if case .step(let record) = $0 { losses.append(record.loss) }
        }
      }
      guard case .diverged(task: "a", step: 1)? = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(losses.count == 1 && losses.allSatisfy(\.isFinite))
      #expect(!FileManager.default.fileExists(atPath: destination(folder).url.path))
    }
  }

  @Test("an adapter with a value that is not a number is refused", arguments: [Float.nan, .infinity])
  func notFinite(value: Float) throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      var adapter = tiny.adapter
      adapter.pairs[1].b[0] = value
      let url = folder.appendingPathComponent("adapter.safetensors")
      try AdapterFile(adapter: adapter, schedule: tiny.schedule).write(to: url)
      let error = #expect(throws: FileError.self) { try AdapterFile(url, modules: adapter.modules) }
      #expect(error?.problem == "has a value that is not a finite number")
    }
  }

  @Test("an adapter whose blocks name columns that it does not have is refused")
  func blocksBeyondTheRank() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      let url = folder.appendingPathComponent("adapter.safetensors")
      for (columns, sees) in [
        ([0, 8], [999]), ([0, 8], [0, 0]), ([-1, 8], [0]), ([8, 0], [0]), ([8], [0]),
      ] {
        var file = AdapterFile(adapter: tiny.adapter, schedule: tiny.schedule)
        file.blocks[3].columns = columns
        file.blocks[3].sees = sees
        try file.write(to: url)
        #expect(throws: FileError.self, "\(columns) \(sees)") {
          try AdapterFile(url, modules: tiny.adapter.modules)
        }
      }
    }
  }

  @Test("a damaged adapter is refused, wherever the damage is")
  func damagedAdapter() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      let url = folder.appendingPathComponent("adapter.safetensors")
      try AdapterFile(adapter: tiny.adapter, schedule: tiny.schedule).write(to: url)
      let bytes = try Data(contentsOf: url)
      for index in stride(from: bytes.count - 1, to: 0, by: -bytes.count / 40) {
        var damaged = bytes
        damaged[index] ^= 0x10
        try damaged.write(to: url)
        #expect(throws: FileError.self, "byte \(index)") {
          try AdapterFile(url, modules: tiny.adapter.modules)
        }
      }
    }
  }

  @Test("an adapter file keeps parameters, scale and blocks")
  func adapterFile() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      let file = AdapterFile(adapter: tiny.adapter, schedule: tiny.schedule)
      let url = folder.appendingPathComponent("adapter.safetensors")
      try file.write(to: url)
      #expect(try AdapterFile(url, modules: tiny.adapter.modules) == file)
      #expect(file.blocks.map(\.columns) == [[0, 2], [2, 4], [4, 6], [6, 8]])
      #expect(file.blocks[1].sees == [0, 1, 2, 3])
    }
  }
}
