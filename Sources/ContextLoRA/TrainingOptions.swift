import TaskGraph
import Tensor

/// The options that every phase trains with.
package struct TrainingOptions: Sendable, Equatable {
  /// Passes over the data in each phase.
  package var epochs = 1
  /// Planned optimiser steps of a phase; `nil` for as many as the epochs give.
  package var plannedSteps: Int?
  /// Exceptions to `plannedSteps`, by task.
  package var plannedStepsByTask: [String: Int] = [:]
  /// Maximum optimiser steps of a phase; `nil` for no limit.
  package var maximumSteps: Int?
  /// Exceptions to `maximumSteps`, by task.
  package var maximumStepsByTask: [String: Int] = [:]
  /// Validation during training; `nil` for none.
  package var validation: Validation?
  /// Sequences per optimiser step.
  package var batchSize = 16
  /// Approximate tokens per micro-batch, which one worker computes at a time.
  package var microBatchTokens = 256
  /// Sequences per micro-batch, whatever their lengths; `nil` packs by ``microBatchTokens``.
  package var microBatchSamples: Int?
  /// The learning rate.
  package var learningRate = LearningRateSchedule(peak: 1e-3)
  /// Whether the columns that train together share the learning rate: it is multiplied by the share of them that
  /// are the task's own. A step then moves the output no further than one of the task's own columns alone.
  package var sharesRate = false
  /// The optimiser's constants.
  package var adamW = AdamWSettings()
  /// Gradients with a larger Euclidean norm are scaled down to this; `nil` disables clipping.
  package var clipNorm: Double? = 1
  /// Optimiser steps between the parameters that predict a batch's parent answers and those that the batch
  /// trains.
  package var staleness = 1
  /// Seeds the order of the samples and the initial values of the adapter.
  package var seed: UInt64 = 0
  /// The values with which each task's columns start in the first round.
  package var blockStart = BlockStart.fresh
  /// Freezes columns based on gradients; `nil` uses the schedule's ratio.
  package var adaptiveFreezing: AdaptiveFreezing?
  /// The weight λ of the penalty that keeps a phase's A orthogonal to the frozen ones; `nil` for no penalty.
  package var orthogonality: Float?
  /// Optimiser steps between checkpoints.
  package var checkpointEvery = 50

  package init() {}

  /// How validation controls a phase.
  package struct Validation: Sendable, Equatable {
    /// Optimiser steps between validations.
    package var every: Int
    /// The number of validations without an improvement after which a phase ends early; `nil` for never.
    package var patience: Int?
    /// Limits a phase that needs more than its planned steps.
    package var budget: Budget

    package init(every: Int, patience: Int? = nil, budget: Budget = Budget()) {
      (self.every, self.patience, self.budget) = (every, patience, budget)
    }
  }

  /// The maximum cost of one phase. All limits apply, but planned steps are never cut.
  package struct Budget: Sendable, Hashable {
    /// Optimiser steps; `nil` for three times the planned ones.
    package var steps: Int?
    /// Tokens of the samples.
    package var tokens: Int?
    /// Minutes of training.
    package var minutes: Double?

    package init(steps: Int? = nil, tokens: Int? = nil, minutes: Double? = nil) {
      (self.steps, self.tokens, self.minutes) = (steps, tokens, minutes)
    }
  }

  /// The seed of the sample order of a phase; each phase has its own.
  package func seed(phase: Int) -> UInt64 { seed &+ UInt64(phase) &* 0x9E37_79B9_7F4A_7C15 }

  /// The factor by which a gradient of this norm is multiplied.
  package func clipFactor(norm: Double) -> Float { Float(clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1) }

  /// The learning rate at a step, counted from 1, of a phase with this pace.
  package func rate(step: Int, _ pace: PhasePace, of phase: Phase) -> Double {
    let share = Double(phase.block.count) / Double(phase.trainable.count)
    return learningRate.rate(step: step, pace) * (sharesRate ? share : 1)
  }

  /// An upper bound on the rows of a micro-batch, for `samples` sequences of at most `longest` tokens.
  package func microBatchRows(longest: Int, samples: Int) -> Int {
    // When packing by tokens, each end of a micro-batch is off by half a sequence at most.
    min(
      min(batchSize, samples) * longest, microBatchSamples.map { $0 * longest } ?? microBatchTokens + longest)
  }

  /// The planned optimiser steps of a phase of `task` over `samples` samples.
  package func stepCount(task: String, samples: Int) -> Int {
    let all = epochs * ((samples + batchSize - 1) / batchSize)
    return min(
      plannedStepsByTask[task] ?? plannedSteps ?? all, maximumSteps ?? .max, maximumStepsByTask[task] ?? .max)
  }

  /// The planned pace of a phase of `task` over `samples` samples.
  package func pace(task: String, samples: Int) -> PhasePace {
    PhasePace(planned: stepCount(task: task, samples: samples), cooldown: learningRate.cooldown)
  }

  /// The maximum steps of a phase of `task`, whatever validation decides.
  package func stepLimit(task: String, planned: Int) -> Int {
    guard let validation else { return planned }
    return max(
      planned,
      min(
        validation.budget.steps ?? 3 * planned, maximumSteps ?? .max, maximumStepsByTask[task] ?? .max))
  }
}
