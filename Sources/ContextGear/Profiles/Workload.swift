/// One optimiser step of a phase, as planning sees it: the task that trains and the passes of its ancestors.
package struct Workload: Codable, Hashable, Sendable {
  /// One task's pass over a sample.
  package struct Pass: Codable, Hashable, Sendable {
    /// The task.
    package var task: String
    /// Tokens a sample.
    package var tokens: Double
    /// Tokens that every sample begins with: a micro-batch computes them once.
    package var shared: Double
    /// Tokens a sample whose probabilities are computed.
    package var labels: Double
    /// Rank columns that it computes with; `nil` for as many as the devices were measured with.
    package var columns: Columns?

    /// Takes the parts.
    package init(
      task: String, tokens: Double, shared: Double = 0, labels: Double, columns: Columns? = nil
    ) {
      self.columns = columns
      self.task = task
      self.tokens = tokens
      self.shared = shared
      self.labels = labels
    }

    /// Rows of a micro-batch.
    package func rows(samples: Double) -> Double {
      samples <= 1 ? samples * tokens : shared + samples * (tokens - shared)
    }
  }

  /// How many rank columns of each adapted matrix a pass computes with.
  package struct Columns: Codable, Hashable, Sendable {
    /// Those that train.
    package var trained: Int
    /// Those that do not.
    package var frozen: Int
    /// Whether a device that can merge frozen columns into its weights does so for this pass.
    package var mayMerge: Bool

    /// Takes the parts.
    package init(trained: Int, frozen: Int, mayMerge: Bool) {
      self.trained = trained
      self.frozen = frozen
      self.mayMerge = mayMerge
    }
  }

  /// The forward-only passes `T_f` in topological order: each reads the answers of those before it.
  package var forwardOnly: [Pass]
  /// The pass `T_t` that trains.
  package var trained: Pass
  /// Samples of one optimiser step, `B`.
  package var samples: Int
  /// Columns that train: the task's own and the refined ones.
  package var trainedColumns: Int
  /// Columns of ancestors that are refined: the forward-only passes need their new values.
  package var refinedColumns: Int
  /// How many optimiser steps old the columns of the forward-only passes are.
  package var staleness: Int
  /// Bytes of a value of an activation or gradient on the wire.
  package var wireBytes: Int
  /// Bytes beside the values of a token's row: the step of a quantised one.
  package var wireRowBytes: Int

  /// Takes the parts.
  package init(
    forwardOnly: [Pass], trained: Pass, samples: Int, trainedColumns: Int, refinedColumns: Int = 0,
    staleness: Int = 1, wireBytes: Int = 2, wireRowBytes: Int = 0
  ) {
    self.forwardOnly = forwardOnly
    self.trained = trained
    self.samples = samples
    self.trainedColumns = trainedColumns
    self.refinedColumns = refinedColumns
    self.staleness = staleness
    self.wireBytes = wireBytes
    self.wireRowBytes = wireRowBytes
  }

  /// Bytes of one token's activation or gradient on the wire.
  func wireBytes(_ shape: ModelShape) -> Int { shape.hidden * wireBytes + wireRowBytes }

  /// Whether forward-only work of the next step may start before this step's update (Eq. 7).
  package var mayOverlap: Bool { refinedColumns == 0 || staleness >= 1 }

  /// The numbers of samples a micro-batch can have: the divisors of a batch.
  package static func microBatchSizes(_ samples: Int) -> [Int] {
    (1...max(samples, 1)).filter { samples % $0 == 0 }
  }

  /// The same step with another number of samples: a replica's share.
  func with(samples: Int) -> Workload {
    var copy = self
    copy.samples = samples
    return copy
  }
}
