/// A linear layer of the model that an adapter can stand beside.
package enum Projection: String, Sendable, Hashable, CaseIterable {
  /// Queries of attention.
  case query = "q_proj"
  /// Keys of attention.
  case key = "k_proj"
  /// Values of attention.
  case value = "v_proj"
  /// Output of attention.
  case output = "o_proj"
  /// Gate of the feed-forward network.
  case gate = "gate_proj"
  /// Up-projection of the feed-forward network.
  case up = "up_proj"
  /// Down-projection of the feed-forward network.
  case down = "down_proj"
}

extension Workflow {
  /// The adapter: `y = W0 x + s Σ_j B_j (A_j x)` over the active rank columns `j`.
  package struct LoRA: Sendable, Hashable {
    /// The rank columns of every adapted layer. Default 16, or the sum of the tasks' ranks when every task
    /// has one.
    package let rank: Int
    /// Above 0. Default 32.
    package let alpha: Double
    /// Whether the scale `s` is `alpha / sqrt(rank)` instead of `alpha / rank`. Default `false`.
    package let rankStabilized: Bool
    /// The layers that are adapted, in the order of `Projection.allCases`. Default: all seven.
    package let targets: [Projection]
    /// The first transformer block that is adapted; those below stay the base model's, and the backward pass ends
    /// above them. Default 0: all.
    package let firstLayer: Int

    /// The factor `s` of the adapter's output.
    package var scale: Double {
      alpha / (rankStabilized ? Double(rank).squareRoot() : Double(rank))
    }
  }
}
