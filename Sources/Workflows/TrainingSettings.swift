import TaskGraph

/// The share δ of each prerequisite's columns that is frozen while a task trains.
package enum FrozenRatio: Sendable, Hashable {
  /// The same δ in `0...1` for every phase and prerequisite.
  case fixed(Double)
  /// Decided column by column from gradients, starting from δ = `initial`. If a prerequisite's validation
  /// loss grows by more than the fraction `tolerance`, all its columns are frozen.
  case adaptive(initial: Double, tolerance: Double)

  /// The fixed or initial δ.
  package var initial: Double {
    switch self {
    case .fixed(let ratio), .adaptive(let ratio, _): ratio
    }
  }
}

/// Which parents' answers a task reads in its prompts during training.
package enum ParentAnswers: Sendable, Hashable {
  /// Gold answers, from the data.
  case gold
  /// Answers predicted by the model, as after deployment.
  case predicted
  /// Chosen for each sample: predicted answers with this probability, otherwise gold answers.
  case mixed(Double)
}

/// The reply to a multiple-choice question that the model learns.
package enum AnswerForm: String, Sendable, Hashable, CaseIterable {
  /// The option's letter only.
  case letter
  /// The option's text only.
  case text
  /// The letter, then the text.
  case letterText
}

/// The learning rate after the warm-up.
package enum RateSchedule: String, Sendable, Hashable, CaseIterable {
  /// Falls along half a cosine to `minimumRateRatio` of the peak.
  case cosine
  /// Stays at the peak.
  case constant
  /// Warm-up, stable, decay: stays at the peak, then falls linearly to `minimumRateRatio` of the peak during
  /// the last share `cooldown` of the steps.
  case wsd
}

/// The number format of the base model's weights.
package enum Precision: String, Sendable, Hashable, CaseIterable {
  /// The format that is fast on this processor.
  case auto
  /// 32-bit IEEE 754.
  case float32
  /// bfloat16: the upper half of a float32.
  case bfloat16
}

/// Limits on the cost of one phase. All limits apply, but planned steps are never cut.
package struct Budget: Sendable, Hashable {
  /// Optimiser steps; `nil` for three times the planned steps.
  package let steps: Int?
  /// Tokens in the training samples.
  package let tokens: Int?
  /// Minutes of training.
  package let minutes: Double?

  package init(steps: Int?, tokens: Int?, minutes: Double?) {
    (self.steps, self.tokens, self.minutes) = (steps, tokens, minutes)
  }
}

extension Workflow {
  /// How the adapter is trained. Each phase has its own optimiser state and learning-rate schedule.
  package struct Training: Sendable, Hashable {
    /// The number of training phases per task. Default 1.
    package let rounds: Int
    /// Passes over `train.jsonl` in each phase. Default 1.
    package let epochs: Int
    /// The planned optimiser steps of a phase. Default `nil`: computed from `epochs`.
    package let steps: Int?
    /// The upper limit on the optimiser steps of a phase, however it learns. Default `nil`: only `budget`
    /// limits them.
    package let maxSteps: Int?
    /// Sequences per optimiser step. Default 16.
    package let batchSize: Int
    /// Tokens packed into one micro-batch, which is one shard on one worker. Default 256.
    package let microBatchTokens: Int
    /// Sequences per micro-batch, whatever their lengths. Default `nil`: use `microBatchTokens`. A plan over
    /// several devices has its own value.
    package let microBatchSamples: Int?
    /// The tasks whose columns a task also uses. Default `ancestors`.
    package let prerequisites: PrerequisiteRule
    /// The share of each prerequisite's columns that is frozen. Default 1. `adaptive` by default starts
    /// from 0.5, with tolerance 0.05.
    package let frozenRatio: FrozenRatio
    /// Which columns are frozen. Default `leading`.
    package let freeze: FreezeRule
    /// The values with which a task's columns start. Default `base`.
    package let blockStart: BlockStart
    /// Which parents' answers a task reads. Default `gold`.
    package let parentAnswers: ParentAnswers
    /// The age, in optimiser steps, of the columns that predict the parents' answers, if the phase changes
    /// those columns. Default 1.
    package let staleness: Int
    /// The model's reply to a multiple-choice question. Default `letterText`.
    package let answerForm: AnswerForm
    /// The peak learning rate, above 0. Default 1e-3.
    package let learningRate: Double
    /// The learning rate after the warm-up. Default `wsd`.
    package let schedule: RateSchedule
    /// With `wsd`, the share of a phase's steps in which the rate falls, in `0...0.9`. Default 0.2.
    package let cooldown: Double
    /// The share of a phase's planned steps in which the rate rises linearly, in `0...1`. Default 0.05.
    package let warmup: Double
    /// The final rate of `cosine` and `wsd` as a share of the peak, in `0...1`. Default 0.1.
    package let minimumRateRatio: Double
    /// AdamW's decoupled weight decay, at least 0. Default 0.
    package let weightDecay: Double
    /// AdamW's decay rate of the first moment, in `0..<1`. Default 0.9.
    package let beta1: Double
    /// AdamW's decay rate of the second moment, in `0..<1`. Default 0.999.
    package let beta2: Double
    /// AdamW's ε, above 0. Default 1e-8.
    package let epsilon: Double
    /// The global norm to which the gradients are clipped; `nil` (0 or null in the file) for no clipping.
    /// Default 1.
    package let clipNorm: Double?
    /// Optimiser steps between validations of a phase; `nil` (0 or null in the file) for no validation.
    /// Default 25.
    package let validateEvery: Int?
    /// Episodes per validation: the first ones of `valid.jsonl`. Default 64.
    package let validationEpisodes: Int
    /// Validations without an improvement after which a phase ends early; `nil` (0 or null in the file) for
    /// never. Default 4.
    package let patience: Int?
    /// Limits on a phase that needs more than its planned steps. Default: three times the planned steps.
    package let budget: Budget
    /// Optimiser steps between checkpoints. Default 50.
    package let checkpointEvery: Int
    /// The seed of all random choices. Default 0.
    package let seed: Int
    /// The number format of the base weights. Default `auto`.
    package let precision: Precision
  }
}
