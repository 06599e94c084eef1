/// What a training takes on this machine, before it starts: memory, time, and the work of each phase.
package struct TrainingEstimate: Sendable, Equatable, Codable {
  /// One phase of the schedule.
  package struct Phase: Sendable, Equatable, Codable {
    /// The phase, from 0.
    package var phase: Int
    /// The round, from 1.
    package var round: Int
    /// The task that trains.
    package var task: String
    /// Columns that train.
    package var trainable: Int
    /// Columns that are computed and stay as they are.
    package var frozen: Int
    /// Columns of other tasks, which are not computed.
    package var masked: Int
    /// Planned optimiser steps.
    package var steps: Int
    /// The most steps it takes if it is still learning at their end.
    package var stepLimit: Int
    /// Tokens of all steps' samples, with recorded parents' answers.
    package var tokens: Int
    /// Bytes of activations, gradients, moments and the compact adapter.
    package var stepBytes: Int
    /// Seconds of a step: the mean over the phase, with the time to predict parents' answers.
    package var stepSeconds: Double
    /// Seconds of the phase, with its beginning and its checkpoints.
    package var seconds: Double

    /// Takes the figures.
    package init(
      phase: Int, round: Int, task: String, trainable: Int, frozen: Int, masked: Int, steps: Int,
      stepLimit: Int,
      tokens: Int,
      stepBytes: Int, stepSeconds: Double, seconds: Double
    ) {
      (self.phase, self.round, self.task) = (phase, round, task)
      (self.trainable, self.frozen, self.masked, self.stepLimit) = (trainable, frozen, masked, stepLimit)
      (self.steps, self.tokens, self.stepBytes) = (steps, tokens, stepBytes)
      (self.stepSeconds, self.seconds) = (stepSeconds, seconds)
    }
  }

  /// The model's files.
  package var model: String
  /// What weights and activations are stored in: float32 or bfloat16.
  package var precision: String
  /// Bytes of the weights as laid out.
  package var weightBytes: Int
  /// Threads that work at once.
  package var workers: Int
  /// Training episodes.
  package var episodes: Int
  /// Optimiser steps of each phase that were timed, after one that was not; fewer where a phase has no more.
  package var measuredSteps: Int
  /// Every phase, in order.
  package var phases: [Phase]
  /// Seconds until the first phase begins.
  package var loadSeconds: Double
  /// Seconds after the last phase, in which the adapter is written.
  package var endSeconds: Double
  /// The most memory that the process held, in bytes: what the kernel counts as resident.
  package var peakBytes: Int

  /// Seconds of all phases and of what follows them.
  package var trainingSeconds: Double { phases.reduce(endSeconds) { $0 + $1.seconds } }
  /// Optimiser steps of all phases.
  package var steps: Int { phases.reduce(0) { $0 + $1.steps } }
  /// Tokens of all phases.
  package var tokens: Int { phases.reduce(0) { $0 + $1.tokens } }
}

/// The work that a phase of the real run has.
package struct PhaseWork: Sendable, Equatable {
  /// Optimiser steps.
  package var steps = 0
  /// Tokens of their samples, with recorded parents' answers.
  package var tokens = 0
  /// Samples whose parents' answers are predicted: each counts once where the parents do not change.
  package var predictions = 0
  /// Checkpoints before the phase ends.
  package var checkpoints = 0
  /// Validations.
  package var validations = 0
  /// Decisions of adaptive freezing, the first of them in the first step.
  package var decisions = 0

  package init() {}
}

/// What the first steps of a phase took.
package struct PhaseTimes: Sendable {
  /// One optimiser step.
  package struct Step: Sendable {
    package var tokens: Int
    /// Seconds of the step without making its samples.
    package var seconds: Double
    /// Seconds of making its samples, predictions included.
    package var dataSeconds: Double
    /// Samples whose parents' answers were predicted for it.
    package var predictions: Int

    package init(tokens: Int, seconds: Double, dataSeconds: Double = 0, predictions: Int = 0) {
      (self.tokens, self.seconds) = (tokens, seconds)
      (self.dataSeconds, self.predictions) = (dataSeconds, predictions)
    }
  }

  /// Seconds before the first step: columns are merged, memory is planned.
  package var setup = 0.0
  package var steps: [Step] = []
  /// Seconds of each checkpoint within the phase.
  package var checkpoints: [Double] = []
  /// Seconds of each validation.
  package var validations: [Double] = []
  /// Seconds of the checkpoint at its end.
  package var end = 0.0
  var stepBytes = 0

  package init() {}

  /// The steps that are timed: the first touches memory and code for the first time.
  private var timed: ArraySlice<Step> { steps.count > 1 ? steps.dropFirst() : steps[...] }

  /// Seconds of the steps of a phase with so much work.
  ///
  /// The median of seconds a token times the tokens; what the first step took beyond that, once, or with every
  /// decision of adaptive freezing; and for predictions the mean time of one times their number.
  package func stepSeconds(_ work: PhaseWork) -> Double {
    guard let first = steps.first else { return 0 }
    let perToken = Self.median(timed.map { $0.seconds / Double(max($0.tokens, 1)) })
    let extra = max(0, first.seconds - perToken * Double(first.tokens))
    let predicting = timed.filter { $0.predictions > 0 }
    let rest = timed.filter { $0.predictions == 0 }
    let predictions = predicting.reduce(0) { $0 + $1.predictions }
    let perPrediction = predicting.reduce(0) { $0 + $1.dataSeconds } / Double(max(predictions, 1))
    return perToken * Double(work.tokens) + extra * Double(max(work.decisions, 1))
      + perPrediction * Double(work.predictions)
      + Self.median(rest.map(\.dataSeconds)) * Double(work.predictions > 0 ? 0 : work.steps)
  }

  /// Seconds of a phase with so much work.
  package func seconds(_ work: PhaseWork) -> Double {
    setup + stepSeconds(work) + Self.median(checkpoints) * Double(work.checkpoints)
      + Self.median(validations) * Double(work.validations) + end
  }

  /// The middle value, or the mean of the two; 0 for none.
  static func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
