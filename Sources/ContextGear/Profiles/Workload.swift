/// The work of one optimiser step of a phase: the training pass and the forward-only passes of its ancestors.
package struct Workload: Codable, Hashable, Sendable {
  /// One task's pass over a sample.
  package struct Pass: Codable, Hashable, Sendable {
    /// The task's name.
    package var task: String
    /// Tokens per sample.
    package var tokens: Double
    /// Tokens of the prefix that all samples share; a micro-batch computes them once.
    package var shared: Double
    /// Tokens per sample whose probabilities are computed.
    package var labels: Double
    /// The rank columns that it computes with; `nil` for the number that the devices were measured with.
    package var columns: Columns?

    package init(
      task: String, tokens: Double, shared: Double = 0, labels: Double, columns: Columns? = nil
    ) {
      (self.columns, self.task, self.tokens, self.shared) = (columns, task, tokens, shared)
      self.labels = labels
    }

    /// Rows of a micro-batch.
    package func rows(samples: Double) -> Double {
      samples <= 1 ? samples * tokens : shared + samples * (tokens - shared)
    }
  }

  /// The number of rank columns of each adapted matrix that a pass computes with.
  package struct Columns: Codable, Hashable, Sendable {
    /// Trained columns.
    package var trained: Int
    /// Frozen columns.
    package var frozen: Int
    /// Whether a device that can merge frozen columns into its weights does so for this pass.
    package var mayMerge: Bool

    package init(trained: Int, frozen: Int, mayMerge: Bool) {
      (self.trained, self.frozen, self.mayMerge) = (trained, frozen, mayMerge)
    }
  }

  /// The forward-only passes `T_f` in topological order; each one uses the answers of those before it.
  package var forwardOnly: [Pass]
  /// The training pass `T_t`.
  package var trained: Pass
  /// Samples per optimiser step, `B`.
  package var samples: Int
  /// Trained columns: the task's own and the refined ones.
  package var trainedColumns: Int
  /// Refined columns of ancestors; the forward-only passes need their new values.
  package var refinedColumns: Int
  /// The age in optimiser steps of the columns that the forward-only passes use.
  package var staleness: Int
  /// Bytes on the wire per value of an activation or gradient.
  package var wireBytes: Int
  /// Bytes on the wire per token's row beside its values: the step size of a quantised row.
  package var wireRowBytes: Int

  package init(
    forwardOnly: [Pass], trained: Pass, samples: Int, trainedColumns: Int, refinedColumns: Int = 0,
    staleness: Int = 1, wireBytes: Int = 2, wireRowBytes: Int = 0
  ) {
    (self.forwardOnly, self.trained, self.samples) = (forwardOnly, trained, samples)
    (self.trainedColumns, self.refinedColumns) = (trainedColumns, refinedColumns)
    (self.staleness, self.wireBytes, self.wireRowBytes) = (staleness, wireBytes, wireRowBytes)
  }

  /// Bytes of one token's activation or gradient on the wire.
  func wireBytes(_ shape: ModelShape) -> Int { shape.hidden * wireBytes + wireRowBytes }

  /// Whether forward-only work of the next step may start before this step's update (Eq. 7).
  package var mayOverlap: Bool { refinedColumns == 0 || staleness >= 1 }

  /// The possible micro-batch sizes in samples: the divisors of a batch.
  package static func microBatchSizes(_ samples: Int) -> [Int] {
    (1...max(samples, 1)).filter { samples % $0 == 0 }
  }

  /// The same step with another number of samples, for a replica's share.
  func with(samples: Int) -> Workload {
    var copy = self
    copy.samples = samples
    return copy
  }
}
