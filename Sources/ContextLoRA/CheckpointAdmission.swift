import LanguageModels
import TaskGraph

extension TrainingCheckpoint {
  /// Describes how this checkpoint, read from a file, contradicts the training that is to resume from it. The
  /// text follows the file's name in a message; `nil` if training can resume. The checksum is no protection
  /// here: anyone who can write the file can make it match.
  ///
  /// - Parameters:
  ///   - samples: the number of samples of each task.
  ///   - fresh: the adapter that the training would start from.
  package func contradiction(
    schedule: PhaseSchedule, options: TrainingOptions, samples: Int, fresh: LoRAAdapter
  ) -> String? {
    guard adapter.rank == fresh.rank, adapter.scale == fresh.scale else {
      return "has an adapter whose rank or scale is not the workflow's"
    }
    guard (0...schedule.count).contains(position.phase), (0...(1 << 60)).contains(position.totalSteps) else {
      return "is at phase \(position.phase), step \(position.totalSteps), which the workflow does not have"
    }
    guard let optimizer else { return nil }
    guard position.phase < schedule.count else { return "is at a phase after the last one" }
    let phase = schedule[position.phase]
    guard optimizer.step == position.step, position.step >= 1, position.step <= position.totalSteps,
      (0...(1 << 60)).contains(position.epoch), (0..<samples).contains(position.sample)
    else { return "is at a step that its phase does not have" }
    guard canHaveFrozen(phase, options), phase.freezing(position.frozen).trainable == position.trainable
    else {
      return "trains columns other than its phase's"
    }
    func has(_ values: [Float], _ columns: [Int]) -> Bool {
      values.count == TrainableLayout(modules: adapter.modules, columns: columns.count).count
    }
    guard history.count <= options.staleness,
      ([optimizer.firstMoment, optimizer.secondMoment] + history).allSatisfy({ has($0, position.trainable) })
    else { return "has moments or earlier values that do not match its phase's trained columns" }
    if let best {
      let columns = position.bestColumns ?? position.trainable
      guard position.bestColumns == nil || options.adaptiveFreezing != nil, columns.sorted() == columns,
        Set(columns).count == columns.count,
        Set(position.trainable).isSubset(of: columns),
        Set(columns).isSubset(of: phase.trainable + phase.frozen), has(best, columns)
      else { return "has a best state that does not match its phase's columns" }
    }
    if let progress = position.progress {
      let known = Set(phase.prerequisites.map(\.task))
      guard progress.pace.planned == options.stepCount(task: phase.task, samples: samples),
        position.step <= progress.pace.end,
        progress.pace.end <= options.stepLimit(task: phase.task, planned: progress.pace.planned),
        progress.pace.best.map({ $0.step <= position.step }) ?? true,
        progress.prerequisites.keys.allSatisfy(known.contains)
      else { return "has progress that its phase cannot have" }
    }
    return nil
  }

  /// Whether the frozen columns are the phase's, or could have been chosen in it.
  private func canHaveFrozen(_ phase: Phase, _ options: TrainingOptions) -> Bool {
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
