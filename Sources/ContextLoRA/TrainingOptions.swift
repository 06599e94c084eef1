import Tensor

/// How every phase trains.
public struct TrainingOptions: Sendable, Equatable {
  /// Passes over the data in each phase.
  public var epochs = 1
  /// At most so many optimiser steps a phase; `nil` for no limit.
  public var maximumSteps: Int?
  /// At most so many optimiser steps a phase of these tasks.
  public var maximumStepsByTask: [String: Int] = [:]
  /// Sequences of one optimiser step.
  public var batchSize = 16
  /// Tokens packed into one micro-batch, about: what one worker computes at a time.
  public var microBatchTokens = 256
  /// Sequences of one micro-batch, whatever their lengths; `nil` packs by ``microBatchTokens``.
  public var microBatchSamples: Int?
  /// The learning rate.
  public var learningRate = LearningRateSchedule(peak: 1e-3)
  /// The optimiser's constants.
  public var adamW = AdamWSettings()
  /// Gradients of a greater Euclidean norm are scaled down to it; `nil` for never.
  public var clipNorm: Double? = 1
  /// Optimiser steps between the parameters that a batch's predicted parent answers are made with and
  /// those that it trains.
  public var staleness = 1
  /// Of the order of samples and of the adapter's first values.
  public var seed: UInt64 = 0
  /// Freezes columns from gradient evidence; `nil` keeps to the schedule's ratio.
  public var adaptiveFreezing: AdaptiveFreezing?
  /// Optimiser steps between checkpoints.
  public var checkpointEvery = 50

  /// The defaults.
  public init() {}

  /// Each phase sees the samples in an order of its own.
  public func seed(phase: Int) -> UInt64 { seed &+ UInt64(phase) &* 0x9E37_79B9_7F4A_7C15 }

  /// What gradients of a norm are multiplied with.
  public func clipFactor(norm: Double) -> Float { Float(clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1) }

  /// No micro-batch of sequences of at most `longest` tokens has more rows.
  public func microBatchRows(longest: Int) -> Int {
    // Packed by tokens, a micro-batch begins and ends within a sequence's half at most.
    min(batchSize * longest, microBatchSamples.map { $0 * longest } ?? microBatchTokens + longest)
  }

  /// The optimiser steps of a phase of `task` over `samples` samples.
  public func stepCount(task: String, samples: Int) -> Int {
    let all = epochs * ((samples + batchSize - 1) / batchSize)
    return min(all, maximumSteps ?? all, maximumStepsByTask[task] ?? all)
  }
}
