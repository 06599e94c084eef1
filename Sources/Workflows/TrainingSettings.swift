import TaskGraph

/// The share δ of each prerequisite's columns that is frozen while a task trains.
package enum FrozenRatio: Sendable, Hashable {
  /// The same δ in `0...1` for every phase and prerequisite.
  case fixed(Double)
  /// Decided column by column from gradient evidence, starting from δ = `initial`; a prerequisite whose
  /// validation loss grows by more than the share `tolerance` is frozen whole.
  case adaptive(initial: Double, tolerance: Double)

  /// δ itself, or the one that is started from.
  package var initial: Double {
    switch self {
    case .fixed(let ratio), .adaptive(let ratio, _): ratio
    }
  }
}

/// Whose answers a task reads in its prompts while it trains.
package enum ParentAnswers: Sendable, Hashable {
  /// The recorded ones.
  case gold
  /// The model's own, as after deployment.
  case predicted
  /// Drawn for each sample: the model's own with this probability, otherwise the recorded ones.
  case mixed(Double)
}

/// What the model learns to reply to a multiple-choice question.
package enum AnswerForm: String, Sendable, Hashable, CaseIterable {
  /// The option's letter alone.
  case letter
  /// The option's text alone.
  case text
  /// The letter, then the text.
  case letterText
}

/// How the learning rate goes on after the warm-up.
package enum RateSchedule: String, Sendable, Hashable, CaseIterable {
  /// Falls along half a cosine to `minimumRateRatio` of the peak.
  case cosine
  /// Stays.
  case constant
  /// Stays, and falls linearly to `minimumRateRatio` of the peak in the last part, `cooldown`: warm-up, stable,
  /// decay.
  case wsd
}

/// The number format of the frozen base weights.
package enum Precision: String, Sendable, Hashable, CaseIterable {
  /// What the processor computes fast.
  case auto
  /// 32-bit IEEE 754.
  case float32
  /// The upper half of it.
  case bfloat16
}

/// The most that one phase may cost. All limits hold; its planned steps are never cut.
package struct Budget: Sendable, Hashable {
  /// Optimiser steps; `nil` for three times the planned ones.
  package let steps: Int?
  /// Tokens of the samples.
  package let tokens: Int?
  /// Minutes of training.
  package let minutes: Double?

  /// A budget.
  package init(steps: Int?, tokens: Int?, minutes: Double?) {
    (self.steps, self.tokens, self.minutes) = (steps, tokens, minutes)
  }
}

extension Workflow {
  /// How the adapter is trained. Each phase has its own optimiser state and its own rate schedule.
  package struct Training: Sendable, Hashable {
    /// How often every task is visited. Default 1.
    package let rounds: Int
    /// Passes over `train.jsonl` in each phase. Default 1.
    package let epochs: Int
    /// The planned optimiser steps of a phase. Default `nil`: as many as the epochs give.
    package let steps: Int?
    /// The most optimiser steps a phase takes, however it learns. Default `nil`: no limit but the budget.
    package let maxSteps: Int?
    /// Sequences in one optimiser step. Default 16.
    package let batchSize: Int
    /// Tokens packed into one micro-batch, one shard on one worker. Default 256.
    package let microBatchTokens: Int
    /// Sequences in one micro-batch, whatever their lengths. Default `nil`: as `microBatchTokens` says. A plan
    /// for several devices has its own.
    package let microBatchSamples: Int?
    /// Whose columns a task uses. Default `ancestors`.
    package let prerequisites: PrerequisiteRule
    /// The share of prerequisite columns that freezes. Default 0.5; `adaptive` starts from 0.5 with
    /// tolerance 0.05.
    package let frozenRatio: FrozenRatio
    /// Which columns freeze. Default `leading`.
    package let freeze: FreezeRule
    /// Whose answers a task reads. Default `gold`.
    package let parentAnswers: ParentAnswers
    /// How many optimiser steps old the columns are with which parents answer, where these change in the
    /// phase. Default 1.
    package let staleness: Int
    /// What the model replies to a multiple-choice question. Default `letterText`.
    package let answerForm: AnswerForm
    /// The peak learning rate, above 0. Default 1e-3.
    package let learningRate: Double
    /// How the rate goes on after the warm-up. Default `wsd`.
    package let schedule: RateSchedule
    /// With `wsd`, the share of a phase's steps in which the rate falls, 0 to 0.9. Default 0.2.
    package let cooldown: Double
    /// The share of a phase's steps in which the rate rises linearly, in `0...1`. Default 0.05.
    package let warmup: Double
    /// The share of the peak rate at which `cosine` and `wsd` end, in `0...1`. Default 0.1.
    package let minimumRateRatio: Double
    /// AdamW's decoupled weight decay, at least 0. Default 0.
    package let weightDecay: Double
    /// AdamW's decay rate of the first moment, in `0..<1`. Default 0.9.
    package let beta1: Double
    /// AdamW's decay rate of the second moment, in `0..<1`. Default 0.999.
    package let beta2: Double
    /// AdamW's ε, above 0. Default 1e-8.
    package let epsilon: Double
    /// The norm to which all gradients together are clipped; `nil` (0 or null in the file) clips nothing.
    /// Default 1.
    package let clipNorm: Double?
    /// Optimiser steps between validations of a phase; `nil` (0 or null in the file) validates nothing. Default 25.
    package let validateEvery: Int?
    /// Episodes of `valid.jsonl` that a validation asks, from the first on. Default 64.
    package let validationEpisodes: Int
    /// Validations without an improvement after which a phase ends early; `nil` (0 or null in the file) for never.
    /// Default 4.
    package let patience: Int?
    /// What a phase may cost that needs more than its planned steps. Default: three times these.
    package let budget: Budget
    /// Optimiser steps between checkpoints. Default 50.
    package let checkpointEvery: Int
    /// The seed of everything random. Default 0.
    package let seed: Int
    /// The number format of the base weights. Default `auto`.
    package let precision: Precision
  }
}
