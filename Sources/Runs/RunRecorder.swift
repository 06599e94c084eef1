import ContextLoRA
import Foundation
import LanguageModels
import SafeFiles
import Workflows

/// Writes the events of a training into its run folder.
final class RunRecorder {
  private let folder: RunFolder
  private let preparation: RunPreparation
  private let metrics, warnings, decisions: JSONLines
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
    metrics = JSONLines(folder.metrics)
    warnings = JSONLines(folder.warnings)
    decisions = JSONLines(folder.decisions)
    lock = try admission.lock ?? folder.create(preparation, precision: precision)
    folder.removeLeftovers()
    let steps = admission.checkpoint?.position.totalSteps ?? 0
    try metrics.keep(upTo: steps)
    try warnings.keep(upTo: steps)
    try decisions.keep()
  }

  /// - Returns: the event with the number of optimiser steps planned for later phases.
  /// - Throws: an error with the file that cannot be written, and the reason.
  func record(_ event: TrainingEvent) throws -> TrainingRun.Event {
    switch event {
    case .phaseStarted(let phase, _, _, _): laterSteps = preparation.steps(after: phase)
    case .step(let record): try log(record)
    case .warning(let warning, let step):
      try warnings.append([
        LoggedWarning(totalStep: step, kind: warning.name, task: warning.task, text: warning.text)
      ])
    case .decided(let made, _): try decisions.append(made)
    case .checkpointDue:
      // Steps computed with other weights must not be kept.
      try preparation.material.checkUnchanged()
      for file in [metrics, warnings, decisions] { try file.synchronize() }
    case .phaseFinished, .checkpoint: break
    }
    return .training(event, laterSteps: laterSteps)
  }

  private func log(_ record: StepRecord) throws {
    // JSON has no infinities. A step that diverged is reported by the error that follows.
    guard record.loss.isFinite, record.gradientNorm.isFinite else { return }
    var record = record
    if record.validation?.score.loss.isFinite == false { record.validation = nil }
    try metrics.append([record])
  }

  /// Writes the adapter of a completed training.
  func finish(_ adapter: LoRAAdapter) throws -> TrainingRun.Event {
    try preparation.material.checkUnchanged()
    let schedule = preparation.workflow.phaseSchedule
    try AdapterFile(adapter: adapter, schedule: schedule).write(to: folder.adapter)
    return .finished(folder.adapter)
  }
}
