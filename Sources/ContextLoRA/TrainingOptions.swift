import Tensor

/// How every phase trains.
package struct TrainingOptions: Sendable, Equatable {
  /// Passes over the data in each phase.
  package var epochs = 1
  /// Planned optimiser steps of a phase; `nil` for as many as the epochs give.
  package var plannedSteps: Int?
  /// The same for some tasks.
  package var plannedStepsByTask: [String: Int] = [:]
  /// The most optimiser steps of a phase; `nil` for no limit.
  package var maximumSteps: Int?
  /// The same for some tasks.
  package var maximumStepsByTask: [String: Int] = [:]
  /// Measures phases while they train; `nil` for never.
  package var validation: Validation?
  /// Sequences of one optimiser step.
  package var batchSize = 16
  /// Tokens packed into one micro-batch, about: what one worker computes at a time.
  package var microBatchTokens = 256
  /// Sequences of one micro-batch, whatever their lengths; `nil` packs by ``microBatchTokens``.
  package var microBatchSamples: Int?
  /// The learning rate.
  package var learningRate = LearningRateSchedule(peak: 1e-3)
  /// The optimiser's constants.
  package var adamW = AdamWSettings()
  /// Gradients of a greater Euclidean norm are scaled down to it; `nil` for never.
  package var clipNorm: Double? = 1
  /// Optimiser steps between the parameters that a batch's predicted parent answers are made with and
  /// those that it trains.
  package var staleness = 1
  /// Of the order of samples and of the adapter's first values.
  package var seed: UInt64 = 0
  /// Freezes columns from gradient evidence; `nil` keeps to the schedule's ratio.
  package var adaptiveFreezing: AdaptiveFreezing?
  /// Optimiser steps between checkpoints.
  package var checkpointEvery = 50

  /// The defaults.
  package init() {}

  /// How validation steers a phase.
  package struct Validation: Sendable, Equatable {
    /// Optimiser steps between validations.
    package var every: Int
    /// Validations without an improvement that end a phase early; `nil` for never.
    package var patience: Int?
    /// What a phase may cost that needs more than its planned steps.
    package var budget: Budget

    /// Validation every `every` steps.
    package init(every: Int, patience: Int? = nil, budget: Budget = Budget()) {
      (self.every, self.patience, self.budget) = (every, patience, budget)
    }
  }

  /// The most that one phase may cost. All limits hold; its planned steps are never cut.
  package struct Budget: Sendable, Hashable {
    /// Optimiser steps; `nil` for three times the planned ones.
    package var steps: Int?
    /// Tokens of the samples.
    package var tokens: Int?
    /// Minutes of training.
    package var minutes: Double?

    /// A budget.
    package init(steps: Int? = nil, tokens: Int? = nil, minutes: Double? = nil) {
      (self.steps, self.tokens, self.minutes) = (steps, tokens, minutes)
    }
  }

  /// Each phase sees the samples in an order of its own.
  package func seed(phase: Int) -> UInt64 { seed &+ UInt64(phase) &* 0x9E37_79B9_7F4A_7C15 }

  /// What gradients of a norm are multiplied with.
  package func clipFactor(norm: Double) -> Float { Float(clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1) }

  /// No micro-batch of sequences of at most `longest` tokens, of which there are `samples`, has more rows.
  package func microBatchRows(longest: Int, samples: Int) -> Int {
    // Packed by tokens, a micro-batch begins and ends within a sequence's half at most.
    min(
      min(batchSize, samples) * longest, microBatchSamples.map { $0 * longest } ?? microBatchTokens + longest)
  }

  /// The planned optimiser steps of a phase of `task` over `samples` samples.
  package func stepCount(task: String, samples: Int) -> Int {
    let all = epochs * ((samples + batchSize - 1) / batchSize)
    return min(
      plannedStepsByTask[task] ?? plannedSteps ?? all, maximumSteps ?? .max, maximumStepsByTask[task] ?? .max)
  }

  /// The plan of a phase of `task` over `samples` samples.
  package func pace(task: String, samples: Int) -> PhasePace {
    PhasePace(planned: stepCount(task: task, samples: samples), cooldown: learningRate.cooldown)
  }

  /// The most steps that a phase of `task` takes, however it learns.
  package func stepLimit(task: String, planned: Int) -> Int {
    guard let validation else { return planned }
    return max(
      planned,
      min(
        validation.budget.steps ?? 3 * planned, maximumSteps ?? .max, maximumStepsByTask[task] ?? .max))
  }
}
