import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import TrainingFixtures

/// The files of a training. Anyone who can write one can also write its checksum, so the changed metadata gets
/// a right one.
enum TrainingBorders {
  /// A tiny training, its adapter and its checkpoint in the middle of the last phase.
  ///
  /// `@unchecked Sendable`: targets run one after the other.
  private struct Base: @unchecked Sendable {
    let tiny: TinyWorkflow
    let adapter, checkpoint: SafetensorsFile

    static let shared: Base = {
      do { return try Base() } catch { fatalError("\(error)") }
    }()

    init() throws {
      tiny = try TinyWorkflow(frozenRatio: 0.5, workers: 1, usesPredictions: true)
      // From the second validation on nothing improves, so that a phase ends as planned.
      tiny.scores = { ValidationScore(loss: $1 == 1 ? 1.2 : 1.3, correct: $1 == 1 ? 30 : 28, count: 40) }
      let file = Scratch.file("base.checkpoint", [])
      var steps = 0
      _ = try tiny.trainer(options: Self.options(tiny)).run(
        to: CheckpointDestination(url: file, workflow: "w", model: "m"),
        shouldStop: { steps >= 15 }
      ) { if case .step = $0 { steps += 1 } }
      checkpoint = try SafetensorsFile(file)
      let adapter = Scratch.file("base.adapter", [])
      try AdapterFile(adapter: tiny.adapter, schedule: tiny.schedule).write(to: adapter)
      self.adapter = try SafetensorsFile(adapter)
    }

    static func options(_ tiny: TinyWorkflow) -> TrainingOptions {
      var options = tiny.options
      (options.epochs, options.checkpointEvery, options.staleness) = (2, 5, 2)
      options.validation = TrainingOptions.Validation(every: 3, patience: 2)
      return options
    }
  }

  static func adapter(_ bytes: [UInt8]) throws {
    let base = Base.shared
    guard let file = try rewritten(base.adapter, bytes, "changed.adapter") else { return }
    let adapter = try AdapterFile(file, modules: base.tiny.adapter.modules)
    for block in adapter.blocks {
      _ = base.tiny.model.view(of: adapter.adapter, .inference(block.sees))
    }
    let again = Scratch.folder.appendingPathComponent("again.adapter")
    try adapter.write(to: again)
    mustEqual(try AdapterFile(again, modules: base.tiny.adapter.modules).blocks, adapter.blocks, "the blocks")
  }

  static func checkpoint(_ bytes: [UInt8]) throws {
    let base = Base.shared
    guard let file = try rewritten(base.checkpoint, bytes, "changed.checkpoint") else { return }
    let checkpoint = try TrainingCheckpoint(file, modules: base.tiny.adapter.modules)
    let options = Base.options(base.tiny)
    guard base.tiny.resumed(options, validationEpisodes: 40).contradiction(of: checkpoint) == nil else {
      return
    }
    // What the fixture records for tests would grow without end.
    defer { (base.tiny.predictedWith, base.tiny.asked) = ([], [:]) }
    var steps = 0
    _ = try base.tiny.trainer(options: options).run(
      from: checkpoint,
      to: CheckpointDestination(
        url: Scratch.folder.appendingPathComponent("resumed.checkpoint"), workflow: "w", model: "m"),
      shouldStop: { steps >= 3 }
    ) { if case .step = $0 { steps += 1 } }
  }

  /// A file with metadata from the fuzzer: lines `key=value`, and `tensor NAME=COUNT`, which gives a tensor of
  /// one dimension another length. Other metadata and tensors stay. `nil` if the bytes are no text.
  private static func rewritten(_ base: SafetensorsFile, _ bytes: [UInt8], _ name: String) throws -> URL? {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    var metadata = base.metadata
    metadata["sha256"] = nil
    var lengths: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      let (key, value) = (String(line[..<equals]), String(line[line.index(after: equals)...]))
      if key.hasPrefix("tensor ") {
        lengths[String(key.dropFirst(7))] = Int(value).map { min(max($0, 0), 1 << 16) }
      } else if key != "sha256", value.utf8.count < 1 << 16 {
        metadata[key] = value
      }
    }
    let tensors = try base.tensors.map { tensor in
      var values = try base.float32(tensor.name)
      var shape = tensor.shape
      if let length = lengths[tensor.name], shape.count == 1 {
        values = Array(values.prefix(length)) + [Float](repeating: 0.5, count: max(0, length - values.count))
        shape = [length]
      }
      return SafetensorsWriter.Tensor(name: tensor.name, shape: shape, elements: .float32(values))
    }
    let url = Scratch.folder.appendingPathComponent(name)
    try AdapterTensors.write(tensors, metadata: metadata, to: url)
    return url
  }
}
