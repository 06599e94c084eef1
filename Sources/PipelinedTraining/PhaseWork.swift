import ContextGear
import ContextLoRA
import LanguageModels
import TaskGraph

/// One phase as shared by all its ranks.
struct PhaseWork {
  /// The phase with its columns chosen.
  let phase: Phase
  /// The assignment of work to devices. The first of several pipelines collects the gradients and reports.
  let plan: Plan
  /// The forward-only passes, each with the columns it computes with.
  let passes: [(task: String, columns: [Int])]
  let options: TrainingOptions
  /// The pipeline whose first stage has the loss and the norm of a step.
  var root: Plan.Pipeline { plan.pipelines[0] }

  /// The refined columns of the passes' tasks.
  var refined: [Int] { passes.isEmpty ? [] : phase.prerequisites.flatMap(\.trainable).sorted() }
}

/// Where a rank's stage is in a phase's plan.
struct StagePosition {
  private let plan: Plan
  /// The index of its pipeline.
  let pipelineIndex: Int
  /// Whether it belongs to `D_t`.
  let trains: Bool
  /// Its index in its group.
  let index: Int
  /// Its layers.
  let layers: Range<Int>

  /// The position of a rank; `nil` if it has no part in the plan.
  init?(of rank: Int, in plan: Plan) {
    for (number, pipeline) in plan.pipelines.enumerated() {
      for (group, trains) in [(pipeline.trained, true), (pipeline.forward, false)] {
        guard let index = group.firstIndex(where: { $0.device == rank }) else { continue }
        (self.plan, pipelineIndex, self.trains, self.index) = (plan, number, trains, index)
        layers = group[index].layers
        return
      }
    }
    return nil
  }

  var pipeline: Plan.Pipeline { plan.pipelines[pipelineIndex] }
  /// The index of the pipeline's first sample within a step.
  var firstSample: Int { plan.pipelines[..<pipelineIndex].reduce(0) { $0 + $1.samples } }

  /// The position of another stage.
  func other(_ device: Int) -> StagePosition {
    guard let position = StagePosition(of: device, in: plan) else {
      preconditionFailure("device \(device) has no part in the plan")
    }
    return position
  }

  /// Whether another replica is nearer to the root of the tree along which gradients are summed.
  func isFartherFromRoot(than device: Int) -> Bool { other(device).pipelineIndex < pipelineIndex }
}

/// The steps of a window, as the stages of one pipeline divide them into micro-batches.
struct StepWindow {
  let steps: [StepSamples]
  let position: StagePosition

  subscript(step: Int) -> StepSamples { steps[step] }

  /// The samples of a micro-batch. In an epoch's last step, the last micro-batches may have fewer samples than
  /// the others, or none.
  func microBatch(_ unit: StageOperation.MicroBatchPass) -> MicroBatch {
    let step = steps[unit.step]
    let (size, count) = (position.pipeline.microBatch, step.samples.count)
    let first = position.firstSample + unit.microBatch * size
    return MicroBatch(
      batch: step, pass: unit.pass, index: unit.microBatch,
      positions: min(first, count)..<min(first + size, count))
  }
}

/// One pass of a micro-batch.
struct MicroBatch {
  /// The step's batch.
  let batch: StepSamples
  /// The pass, as in ``StageOperation/MicroBatchPass``.
  let pass: Int
  /// Its number within the step.
  let index: Int
  /// Its samples, as indices in the step's batch.
  let positions: Range<Int>

  /// The step within the phase.
  var step: Int { batch.step }
}
