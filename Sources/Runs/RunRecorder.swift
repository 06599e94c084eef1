import ContextLoRA
import Foundation
import LanguageModels
import SafeFiles
import Workflows

/// Writes the events of a training into its run folder.
final class RunRecorder {
  private let folder: RunFolder
  private let preparation: RunPreparation
  private let metrics: MetricsFile
  /// No other process may write into the folder meanwhile.
  private let lock: FileLock
  /// Optimiser steps planned for the phases after the current one.
  private var laterSteps = 0

  /// Creates a new run's folder, or drops the records of a resumed run after its checkpoint.
  ///
  /// - Parameter precision: float32 or bfloat16.
  /// - Throws: an error with the file and what is wrong with it.
  init(_ admission: RunAdmission, _ preparation: RunPreparation, precision: String) throws {
    (folder, self.preparation) = (admission.folder, preparation)
    if admission.lock == nil { try folder.create(preparation, precision: precision) }
    lock = try admission.lock ?? FileLock(folder.manifest)
    folder.removeLeftovers()
    let steps = admission.checkpoint?.position.totalSteps ?? 0
    metrics = try MetricsFile(folder.metrics, keeping: steps)
    try folder.keepWarnings(upTo: steps)
  }

  /// - Returns: the event with the number of optimiser steps planned for later phases.
  /// - Throws: `Refusal` if a file cannot be written.
  func record(_ event: TrainingEvent) throws -> TrainingRun.Event {
    switch event {
    case .phaseStarted(let phase, _, _, _): laterSteps = preparation.steps(after: phase)
    case .step(let record): try metrics.append(record)
    case .warning(let warning, let step): try folder.log(warning, totalStep: step)
    case .decided(let decisions, _): try folder.log(decisions)
    case .checkpointDue: try metrics.synchronize()
    case .phaseFinished, .checkpoint: break
    }
    return .training(event, laterSteps: laterSteps)
  }

  /// Writes the adapter of a completed training.
  func finish(_ adapter: LoRAAdapter) throws -> TrainingRun.Event {
    let schedule = preparation.workflow.phaseSchedule
    try AdapterFile(adapter: adapter, schedule: schedule).write(to: folder.adapter)
    return .finished(folder.adapter)
  }
}
