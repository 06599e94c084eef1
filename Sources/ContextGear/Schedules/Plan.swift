/// Who computes what: the groups, their layer cuts, the micro-batches.
package struct Plan: Codable, Hashable, Sendable {
  /// In which order a trained stage does its work.
  package enum Order: String, Codable, Hashable, Sendable, CaseIterable {
    /// All forwards, then all backwards (Huang et al., 2019).
    case gpipe
    /// As few micro-batches in flight as stages follow (Narayanan et al., 2019).
    case oneForwardOneBackward
    /// The same with nearly twice as many in flight, which hides the links' latency.
    case eager
  }

  /// A contiguous range of layers on a device.
  package struct Stage: Codable, Hashable, Sendable {
    /// The device's place in the cluster.
    package var device: Int
    /// The first layer.
    package var first: Int
    /// One past the last layer.
    package var end: Int

    /// Takes the parts.
    package init(device: Int, layers: Range<Int>) {
      self.device = device
      first = layers.lowerBound
      end = layers.upperBound
    }

    /// The layers.
    package var layers: Range<Int> { first..<end }
  }

  /// The model once for training and at most once for forward-only work, over disjoint devices.
  package struct Pipeline: Codable, Hashable, Sendable {
    /// `D_t` with its cuts `Q_t`, first layers first.
    package var trained: [Stage]
    /// `D_f` with its cuts `Q_f`; empty where `D_t` does all work.
    package var forward: [Stage]
    /// Samples of a step.
    package var samples: Int
    /// Samples of a micro-batch, `k`; divides `samples`.
    package var microBatch: Int
    /// Micro-batches of forward-only work that `D_t` does: `ρ = shared / (samples / microBatch)`.
    package var shared: Int

    /// Takes the parts.
    package init(trained: [Stage], forward: [Stage], samples: Int, microBatch: Int, shared: Int) {
      self.trained = trained
      self.forward = forward
      self.samples = samples
      self.microBatch = microBatch
      self.shared = shared
    }

    /// Micro-batches of a step, `m`.
    package var count: Int { samples / microBatch }
    /// The share `ρ` of forward-only work on `D_t`.
    package var share: Double { Double(shared) / Double(count) }
  }

  /// The order of work in trained stages.
  package var order: Order
  /// Whether forward-only work of the next step fills the end of this one (Eq. 7).
  package var overlap: Bool
  /// One pipeline, or several replicas that share a batch; the first collects the gradients.
  package var pipelines: [Pipeline]

  /// Takes the parts.
  package init(order: Order, overlap: Bool, pipelines: [Pipeline]) {
    self.order = order
    self.overlap = overlap
    self.pipelines = pipelines
  }

  /// Micro-batches that a trained stage holds at once.
  ///
  /// - Parameters:
  ///   - stage: from 0.
  ///   - stages: of the pipeline.
  ///   - count: micro-batches of a step.
  static func inFlight(_ order: Order, stage: Int, stages: Int, count: Int) -> Int {
    switch order {
    case .gpipe: count
    case .oneForwardOneBackward: min(count, stages - stage)
    case .eager: min(count, 2 * (stages - stage) - 1)
    }
  }
}
