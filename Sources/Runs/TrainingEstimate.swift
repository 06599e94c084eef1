/// The estimated cost of a training on this machine: memory, time, and the work of each phase.
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
    /// Columns that are computed but do not change.
    package var frozen: Int
    /// Columns of other tasks, which are not computed.
    package var masked: Int
    /// Planned optimiser steps.
    package var steps: Int
    /// The maximum steps, if the phase is still learning at the end of the planned ones.
    package var stepLimit: Int
    /// Tokens of all steps' samples, with the parents' gold answers.
    package var tokens: Int
    /// Bytes of activations, gradients, moments and the compact adapter.
    package var stepBytes: Int
    /// Seconds per step: the mean over the phase, including predictions of parents' answers.
    package var stepSeconds: Double
    /// Seconds of the phase, including its setup and checkpoints.
    package var seconds: Double

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
  /// The number format of weights and activations: float32 or bfloat16.
  package var precision: String
  /// Bytes of the packed weights.
  package var weightBytes: Int
  /// The number of threads.
  package var workers: Int
  /// The number of training episodes.
  package var episodes: Int
  /// The gold answers that are longer than generated ones may be.
  package var longAnswers: [LongAnswersOfFile]
  /// The files that training does not use, and that cannot be read.
  package var unreadFiles: [UnreadFile]
  /// Optimiser steps timed in each phase, after one that is not; fewer if a phase has fewer.
  package var measuredSteps: Int
  /// Every phase, in order.
  package var phases: [Phase]
  /// Seconds until the first phase begins.
  package var loadSeconds: Double
  /// Seconds after the last phase, for writing the adapter.
  package var endSeconds: Double
  /// The peak resident memory of the process, in bytes, as counted by the kernel.
  package var peakBytes: Int

  /// Seconds of all phases and of writing the adapter.
  package var trainingSeconds: Double { phases.reduce(endSeconds) { $0 + $1.seconds } }
  /// Optimiser steps of all phases.
  package var steps: Int { phases.reduce(0) { $0 + $1.steps } }
  /// Tokens of all phases.
  package var tokens: Int { phases.reduce(0) { $0 + $1.tokens } }
}

/// The amount of work of a phase in the actual run.
package struct PhaseWork: Sendable, Equatable {
  /// Optimiser steps.
  package var steps = 0
  /// Tokens of the steps' samples, with the parents' gold answers.
  package var tokens = 0
  /// Samples that need predicted parents' answers. If the parents do not change, each sample counts once.
  package var predictions = 0
  /// Checkpoints before the end of the phase.
  package var checkpoints = 0
  /// Validations.
  package var validations = 0
  /// Decisions of adaptive freezing; the first one is made in the first step.
  package var decisions = 0

  package init() {}

  /// Scales tokens and predictions from the first `counted` steps to all. Sums of these numbers over the phases
  /// of the longest training do not overflow.
  ///
  /// - Parameters:
  ///   - predictionsRepeat: whether a sample's prediction counts in every step. Otherwise each sample counts once,
  ///     however long the phase.
  ///   - batchSize: samples per step.
  ///   - samples: the samples of an epoch.
  package mutating func extend(from counted: Int, predictionsRepeat: Bool, batchSize: Int, samples: Int) {
    guard counted > 0, counted < steps else { return }
    func distinct(_ steps: Int) -> Double { min(Double(steps) * Double(batchSize), Double(max(samples, 1))) }
    let factor = Double(steps) / Double(counted)
    tokens = Int(min(Double(tokens) * factor, 1e15))
    predictions = Int(
      min(
        (Double(predictions) * (predictionsRepeat ? factor : distinct(steps) / distinct(counted))).rounded(),
        1e15))
  }
}

/// The measured times of a phase's first steps.
package struct PhaseTimes: Sendable {
  /// One optimiser step.
  package struct Step: Sendable {
    package var tokens: Int
    /// Seconds of the step, without making its samples.
    package var seconds: Double
    /// Seconds of making its samples, including predictions.
    package var dataSeconds: Double
    /// Samples with parents' answers predicted for this step.
    package var predictions: Int

    package init(tokens: Int, seconds: Double, dataSeconds: Double = 0, predictions: Int = 0) {
      (self.tokens, self.seconds) = (tokens, seconds)
      (self.dataSeconds, self.predictions) = (dataSeconds, predictions)
    }
  }

  /// Seconds before the first step, for merging columns and planning memory.
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

  /// The steps that count. The first one is excluded because it touches memory and code for the first time.
  private var timed: ArraySlice<Step> { steps.count > 1 ? steps.dropFirst() : steps[...] }

  /// Seconds of all steps of a phase with this work.
  ///
  /// This is the sum of the median seconds per token times the tokens, the excess of the first step (once, or
  /// for every decision of adaptive freezing), and the mean time of a prediction times their number.
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

  /// Seconds of a phase with this work.
  package func seconds(_ work: PhaseWork) -> Double {
    setup + stepSeconds(work) + Self.median(checkpoints) * Double(work.checkpoints)
      + Self.median(validations) * Double(work.validations) + end
  }

  /// The median: the middle value, or the mean of the two; 0 if there are none.
  static func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
