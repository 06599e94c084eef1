import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import TestSupport
import TrainingFixtures
import Testing

/// Temporary folders, by the name used in these tests.
enum TestFolder {
  static func with<T>(_ body: (URL) throws -> T) throws -> T { try Fixtures.withTemporaryDirectory(body) }
}

extension Range<Data.Index> {
  /// `bytes` with this range replaced by a text.
  fileprivate func withReplaced(_ bytes: Data, _ text: String) -> Data {
    var bytes = bytes
    bytes.replaceSubrange(self, with: Data(text.utf8))
    return bytes
  }
}

/// A run that was stopped and resumed ends with the same bytes as one that was not.
struct ResumeTests {
  private func destination(_ folder: URL) -> ContextLoRATrainer.Destination {
    ContextLoRATrainer.Destination(
      url: folder.appendingPathComponent("checkpoint.safetensors"), workflow: "w", model: "m")
  }

  @Test("stopped after every possible step", arguments: [false, true])
  func everyStep(predictions: Bool) throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5, freezeRule: .importance, usesPredictions: predictions)
      let whole = tiny.trainer()
      var records: [StepRecord] = []
      #expect(
        try whole.run(to: destination(folder)) { if case .step(let record) = $0 { records.append(record) } })
      let bytes = try Data(contentsOf: destination(folder).url)

      for stop in 1..<records.count {
        let again = try TinyWorkflow(
          frozenRatio: 0.5, freezeRule: .importance, usesPredictions: predictions)
        var resumed: [StepRecord] = []
        func note(_ event: TrainingEvent) { if case .step(let record) = event { resumed.append(record) } }
        let first = try again.trainer().run(
          to: destination(folder), shouldStop: { resumed.count == stop }, onEvent: note)
        #expect(!first)
        let checkpoint = try TrainingCheckpoint(destination(folder).url, sites: tiny.adapter.sites)
        #expect(checkpoint.position.totalSteps == stop)
        #expect(try again.trainer().run(from: checkpoint, to: destination(folder), onEvent: note))
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
      for place in stride(from: bytes.count - 1, to: 0, by: -bytes.count / 40) {
        var damaged = bytes
        damaged[place] ^= 0x10
        try damaged.write(to: url)
        let read = try? TrainingCheckpoint(url, sites: tiny.adapter.sites)
        #expect(read == nil, "byte \(place)")
      }
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.contains(#"\"phase\":0"#))
      try #require(bytes.firstRange(of: Data(#"\"phase\":0"#.utf8))).withReplaced(bytes, #"\"phase\":1"#)
        .write(to: url)
      #expect(throws: CheckpointError.self) { try TrainingCheckpoint(url, sites: tiny.adapter.sites) }
    }
  }

  @Test("a damaged adapter is refused, wherever the damage is")
  func damagedAdapter() throws {
    try TestFolder.with { folder in
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      let url = folder.appendingPathComponent("adapter.safetensors")
      try AdapterFile(adapter: tiny.adapter, schedule: tiny.schedule).write(to: url)
      let bytes = try Data(contentsOf: url)
      for place in stride(from: bytes.count - 1, to: 0, by: -bytes.count / 40) {
        var damaged = bytes
        damaged[place] ^= 0x10
        try damaged.write(to: url)
        #expect(throws: CheckpointError.self, "byte \(place)") {
          try AdapterFile(url, sites: tiny.adapter.sites)
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
      #expect(try AdapterFile(url, sites: tiny.adapter.sites) == file)
      #expect(file.blocks.map(\.columns) == [[0, 2], [2, 4], [4, 6], [6, 8]])
      #expect(file.blocks[1].sees == [0, 1, 2, 3])
    }
  }
}
