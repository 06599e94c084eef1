import Checkpoint
import Foundation
import LanguageModels
import SafeFiles

/// Everything a run needs to resume exactly: one safetensors file, written atomically.
///
/// Beside the adapter's tensors it has `optimizer.first_moment` and `optimizer.second_moment` (flat, in the
/// order of `TrainableLayout`). `history.N` are the trainable parameters of the last steps, oldest first, if
/// predicted answers need them. `best` are those of the phase's best validated state. The metadata entry
/// `state` is JSON, and `sha256` is the checksum of all tensors and metadata.
package struct TrainingCheckpoint: Sendable, Equatable {
  /// The run's position in its schedule.
  package struct Position: Sendable, Equatable, Codable {
    /// The phase in progress, or the number of phases if all are done.
    package var phase: Int
    /// Optimiser steps taken in the phase.
    package var step: Int
    /// The epoch reached in the phase's data.
    package var epoch: Int
    /// The position within that epoch.
    package var sample: Int
    /// The columns that the phase trains.
    package var trainable: [Int]
    /// The columns that the phase freezes.
    package var frozen: [Int]
    /// Optimiser steps of the whole run.
    package var totalSteps: Int
    /// The prerequisites' validation losses at the start of the phase, for adaptive freezing.
    package var lossesAtStart: [String: Double]
    /// The progress of the current phase; `nil` between phases.
    package var progress: PhaseProgress?
    /// The columns of the phase's best state, if some of them have frozen since; `nil` if they equal
    /// `trainable`.
    package var bestColumns: [Int]?
    /// Identifies the workflow's text with all its settings.
    package var workflow: String
    /// Identifies the base model.
    package var model: String

    package init(
      phase: Int, step: Int, epoch: Int, sample: Int, trainable: [Int], frozen: [Int], totalSteps: Int,
      lossesAtStart: [String: Double], progress: PhaseProgress? = nil, bestColumns: [Int]? = nil,
      workflow: String, model: String
    ) {
      (self.phase, self.step, self.epoch, self.sample) = (phase, step, epoch, sample)
      (self.trainable, self.frozen) = (trainable, frozen)
      (self.totalSteps, self.lossesAtStart) = (totalSteps, lossesAtStart)
      (self.progress, self.bestColumns) = (progress, bestColumns)
      (self.workflow, self.model) = (workflow, model)
    }
  }

  /// The run's position in its schedule.
  package var position: Position
  /// All columns; trained ones as of this step.
  package var adapter: LoRAAdapter
  /// The moments of the current phase; `nil` between phases.
  package var optimizer: ColumnOptimizer.State?
  /// Trainable parameters after earlier steps, oldest first.
  package var history: [[Float]]
  /// The trainable parameters of the phase's best validated state; `nil` before the first one.
  package var best: [Float]?

  private static let format = "contexture-checkpoint-1"

  package init(
    position: Position, adapter: LoRAAdapter, optimizer: ColumnOptimizer.State?, history: [[Float]],
    best: [Float]? = nil
  ) {
    self.position = position
    self.adapter = adapter
    self.optimizer = optimizer
    self.history = history
    self.best = best
  }

  /// Writes the file atomically: it is complete or absent.
  ///
  /// - Throws: `FileError` if the system refuses, for example because the disk is full.
  package func write(to url: URL) throws {
    var tensors = AdapterTensors.tensors(adapter)
    if let optimizer {
      for (name, values) in [
        ("optimizer.first_moment", optimizer.firstMoment),
        ("optimizer.second_moment", optimizer.secondMoment),
      ] {
        tensors.append(
          SafetensorsWriter.Tensor(name: name, shape: [values.count], elements: .float32(values)))
      }
    }
    for (index, values) in history.enumerated() {
      tensors.append(
        SafetensorsWriter.Tensor(name: "history.\(index)", shape: [values.count], elements: .float32(values)))
    }
    if let best {
      tensors.append(SafetensorsWriter.Tensor(name: "best", shape: [best.count], elements: .float32(best)))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    try AdapterTensors.write(
      tensors,
      metadata: [
        "format": Self.format, "scale": "\(adapter.scale)", "rank": "\(adapter.rank)",
        "history": "\(history.count)", "optimizerStep": optimizer.map { "\($0.step)" } ?? "",
        "state": String(decoding: try encoder.encode(position), as: UTF8.self),
      ], to: url)
  }

  /// Reads a file and verifies its checksum.
  ///
  /// - Throws: `FileError`, with the file and what is wrong with it.
  package init(_ url: URL, modules: [TargetModule]) throws {
    let file = try SafetensorsFile(url)
    func refuse(_ problem: String) -> FileError {
      FileError(
        .malformed, file: url.path, problem: problem,
        remedy: "restore it from a copy, or train again into a new folder")
    }
    guard file.metadata["format"] == Self.format,
      let position = file.metadata["state"].flatMap({
        try? JSONDecoder().decode(Position.self, from: Data($0.utf8))
      }), let scale = file.metadata["scale"].flatMap(Float.init),
      let rank = file.metadata["rank"].flatMap(Int.init), rank > 0,
      scale.isFinite, let historyCount = file.metadata["history"].flatMap(Int.init),
      (0...file.tensors.count).contains(historyCount)
    else { throw refuse("is not a training checkpoint") }
    guard try AdapterTensors.isIntact(file) else {
      throw refuse("its checksum is wrong: the file is damaged")
    }
    self.position = position
    adapter = LoRAAdapter(
      modules: modules, rank: rank, scale: scale,
      pairs: try AdapterTensors.read(file, modules: modules, rank: rank))
    if let text = file.metadata["optimizerStep"], !text.isEmpty {
      guard let step = Int(text) else { throw refuse("is not a training checkpoint") }
      optimizer = ColumnOptimizer.State(
        firstMoment: try file.float32("optimizer.first_moment"),
        secondMoment: try file.float32("optimizer.second_moment"), step: step)
    } else {
      optimizer = nil
    }
    history = try (0..<historyCount).map { try file.float32("history.\($0)") }
    best = position.progress?.pace.best == nil ? nil : try file.float32("best")
    guard position.progress?.isSound ?? true else { throw refuse("its phase's progress is inconsistent") }
  }
}
