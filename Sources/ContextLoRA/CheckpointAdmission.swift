import Foundation
import LanguageModels
import TaskGraph

/// The training that is to resume from a checkpoint.
package struct ResumedTraining {
  package var schedule: PhaseSchedule
  package var options: TrainingOptions
  /// The number of samples of each task.
  package var samples: Int
  /// The number of validation episodes; `nil` if phases are not validated.
  package var validationEpisodes: Int?
  /// Whether any parents' answers are predicted.
  package var usesPredictions: Bool
  /// The adapter that the training would start from.
  package var fresh: LoRAAdapter

  package init(
    schedule: PhaseSchedule, options: TrainingOptions, samples: Int, validationEpisodes: Int?,
    usesPredictions: Bool, fresh: LoRAAdapter
  ) {
    (self.schedule, self.options, self.samples) = (schedule, options, samples)
    (self.validationEpisodes, self.usesPredictions, self.fresh) = (validationEpisodes, usesPredictions, fresh)
  }

  /// Describes how a checkpoint, read from a file, contradicts this training. The text follows the file's name
  /// in a message; `nil` if training can resume. The checksum is no protection here: anyone who can write the
  /// file can make it match.
  package func contradiction(of checkpoint: TrainingCheckpoint) -> String? {
    let (position, adapter) = (checkpoint.position, checkpoint.adapter)
    guard adapter.rank == fresh.rank, adapter.scale == fresh.scale, adapter.modules == fresh.modules else {
      return "has an adapter whose rank or scale is not the workflow's"
    }
    guard (0...schedule.count).contains(position.phase), (0...(1 << 60)).contains(position.totalSteps) else {
      return "is at phase \(position.phase), step \(position.totalSteps), which the workflow does not have"
    }
    guard let optimizer = checkpoint.optimizer else {
      return isBetweenPhases(checkpoint) ? nil : "is within a phase, but has no moments"
    }
    guard position.phase < schedule.count else { return "is at a phase after the last one" }
    let phase = schedule[position.phase]
    guard optimizer.step == position.step, position.step >= 1, position.step <= position.totalSteps,
      isCursor(position)
    else { return "is at a step that its phase does not have" }
    guard canHaveFrozen(position, phase), phase.freezing(position.frozen).trainable == position.trainable
    else {
      return "trains columns other than its phase's"
    }
    guard has(optimizer.firstMoment, position.trainable), has(optimizer.secondMoment, position.trainable),
      optimizer.secondMoment.allSatisfy({ $0 >= 0 }), hasHistory(checkpoint)
    else { return "has moments or earlier values that do not match its phase's trained columns" }
    guard hasBest(checkpoint, phase) else {
      return "has a best state that does not match its phase's columns"
    }
    guard hasProgress(position, phase) else { return "has progress that its phase cannot have" }
    return nil
  }

  /// Whether a checkpoint without moments is one that is written at the end of a phase.
  private func isBetweenPhases(_ checkpoint: TrainingCheckpoint) -> Bool {
    let position = checkpoint.position
    return position.step == 0 && position.epoch == 0 && position.sample == 0 && position.progress == nil
      && position.trainable.isEmpty && position.frozen.isEmpty && position.lossesAtStart.isEmpty
      && position.bestColumns == nil && checkpoint.history.isEmpty && checkpoint.best == nil
      && position.phase >= 1 && position.totalSteps >= position.phase
  }

  /// Whether the epoch and sample are those after the steps taken. A batch never crosses the end of an epoch.
  private func isCursor(_ position: TrainingCheckpoint.Position) -> Bool {
    guard samples > 0 else { return false }
    let size = min(options.batchSize, samples)
    let (epoch, batch) = position.step.quotientAndRemainder(dividingBy: (samples + size - 1) / size)
    return position.epoch == epoch && position.sample == batch * size
  }

  /// Whether values are finite, and as many as some columns have at the adapter's modules.
  private func has(_ values: [Float], _ columns: [Int]) -> Bool {
    values.count == TrainableLayout(modules: fresh.modules, columns: columns.count).count
      && values.allSatisfy(\.isFinite)
  }

  /// Whether there are as many earlier values as the next steps predict with.
  private func hasHistory(_ checkpoint: TrainingCheckpoint) -> Bool {
    let expected = usesPredictions ? min(checkpoint.position.step, options.staleness) : 0
    return checkpoint.history.count == expected
      && checkpoint.history.allSatisfy { has($0, checkpoint.position.trainable) }
  }

  private func hasBest(_ checkpoint: TrainingCheckpoint, _ phase: Phase) -> Bool {
    let position = checkpoint.position
    guard let best = checkpoint.best else {
      return position.bestColumns == nil && position.progress?.pace.best == nil
    }
    let columns = position.bestColumns ?? position.trainable
    return validationEpisodes != nil
      && (position.bestColumns == nil || options.adaptiveFreezing != nil) && columns.sorted() == columns
      && Set(columns).count == columns.count && Set(position.trainable).isSubset(of: columns)
      && Set(columns).isSubset(of: phase.trainable + phase.frozen) && has(best, columns)
  }

  private func hasProgress(_ position: TrainingCheckpoint.Position, _ phase: Phase) -> Bool {
    guard let progress = position.progress else { return false }
    let (pace, known) = (progress.pace, Set(phase.prerequisites.map(\.task)))
    let scores = [pace.best?.score, pace.reference].compactMap(\.self) + progress.prerequisites.values
    return progress.isSound && pace.planned == options.stepCount(task: phase.task, samples: samples)
      && (pace.cycleStart...pace.end).contains(position.step)
      && pace.end <= options.stepLimit(task: phase.task, planned: pace.planned)
      && pace.best.map { $0.step <= position.step } ?? true
      && progress.prerequisites.keys.allSatisfy(known.contains)
      && scores.allSatisfy { $0.count == validationEpisodes }
      && position.lossesAtStart.keys.allSatisfy(known.contains)
      && position.lossesAtStart.values.allSatisfy(\.isFinite)
      && (options.adaptiveFreezing != nil || position.lossesAtStart.isEmpty)
  }

  /// Whether the frozen columns are the phase's, or could have been chosen in it.
  private func canHaveFrozen(_ position: TrainingCheckpoint.Position, _ phase: Phase) -> Bool {
    let frozen = Set(position.frozen)
    guard frozen.count == position.frozen.count,
      frozen.allSatisfy({ column in phase.prerequisites.contains { $0.block.contains(column) } })
    else { return false }
    return phase.prerequisites.allSatisfy { prerequisite in
      let own = frozen.filter(prerequisite.block.contains)
      guard own.count == prerequisite.frozen.count || options.adaptiveFreezing != nil else { return false }
      return phase.isProvisional
        ? own.count >= prerequisite.frozen.count : own.isSuperset(of: prerequisite.frozen)
    }
  }
}
