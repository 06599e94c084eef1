import ContextLoRA
import Datasets

/// Where a phase is in its samples, as every rank counts it.
struct DataCursorPosition {
  private var cursor: DataCursor

  init(_ checkpoint: TrainingCheckpoint?) {
    cursor = DataCursor(epoch: checkpoint?.position.epoch ?? 0, position: checkpoint?.position.sample ?? 0)
  }

  var epoch: Int { cursor.epoch }
  var sample: Int { cursor.position }

  /// The samples of some steps.
  mutating func take(
    _ steps: Range<Int>, samples: Int, phase: Int, _ options: TrainingOptions
  ) -> [StepSamples] {
    steps.map { step in
      let epoch = cursor.epoch
      return StepSamples(
        step: step, epoch: epoch,
        samples: cursor.take(options.batchSize, of: samples, seed: options.seed(phase: phase)))
    }
  }
}
