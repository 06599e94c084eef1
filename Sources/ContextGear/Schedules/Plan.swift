/// The assignment of work to devices: the groups, their layer cuts and the micro-batches.
package struct Plan: Codable, Hashable, Sendable {
  /// The order in which a trained stage does its work.
  package enum Order: String, Codable, Hashable, Sendable, CaseIterable {
    /// All forwards, then all backwards (Huang et al., 2019).
    case gpipe
    /// As many micro-batches in flight as stages remain, this one included (1F1B; Narayanan et al., 2019).
    case oneForwardOneBackward
    /// 1F1B with nearly twice as many in flight, which hides the links' latency.
    case eager
  }

  /// A contiguous range of layers on a device.
  package struct Stage: Codable, Hashable, Sendable {
    /// The device's index in the cluster.
    package var device: Int
    /// The first layer.
    package var first: Int
    /// One past the last layer.
    package var end: Int

    package init(device: Int, layers: Range<Int>) {
      self.device = device
      first = layers.lowerBound
      end = layers.upperBound
    }

    package var layers: Range<Int> { first..<end }
  }

  /// One copy of the model for training and at most one for forward-only work, on disjoint devices.
  package struct Pipeline: Codable, Hashable, Sendable {
    /// `D_t` with its cuts `Q_t`, first layers first.
    package var trained: [Stage]
    /// `D_f` with its cuts `Q_f`; empty if `D_t` does all the work.
    package var forward: [Stage]
    /// Samples per step.
    package var samples: Int
    /// Samples per micro-batch, `k`; divides `samples`.
    package var microBatch: Int
    /// Micro-batches whose forward-only work `D_t` does: `ρ = shared / (samples / microBatch)`.
    package var shared: Int

    package init(trained: [Stage], forward: [Stage], samples: Int, microBatch: Int, shared: Int) {
      self.trained = trained
      self.forward = forward
      self.samples = samples
      self.microBatch = microBatch
      self.shared = shared
    }

    /// Micro-batches per step, `m`.
    package var count: Int { samples / microBatch }
    /// The share `ρ` of forward-only work that `D_t` does.
    package var share: Double { Double(shared) / Double(count) }
  }

  /// The order of work in trained stages.
  package var order: Order
  /// Whether forward-only work of the next step fills idle time at the end of this one (Eq. 7).
  package var overlap: Bool
  /// One pipeline, or several replicas that share a batch. The first one is the root of the gradient sum.
  package var pipelines: [Pipeline]

  package init(order: Order, overlap: Bool, pipelines: [Pipeline]) {
    self.order = order
    self.overlap = overlap
    self.pipelines = pipelines
  }

  /// The number of micro-batches that a trained stage holds at once.
  ///
  /// - Parameters:
  ///   - stage: its index in the pipeline, from 0.
  ///   - stages: the number of stages in the pipeline.
  ///   - count: micro-batches per step.
  static func inFlight(_ order: Order, stage: Int, stages: Int, count: Int) -> Int {
    switch order {
    case .gpipe: count
    case .oneForwardOneBackward: min(count, stages - stage)
    case .eager: min(count, 2 * (stages - stage) - 1)
    }
  }
}
