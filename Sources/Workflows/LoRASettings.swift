/// A type of linear layer that LoRA can adapt (a target module).
package enum Projection: String, Sendable, Hashable, CaseIterable {
  /// The attention's query projection.
  case query = "q_proj"
  /// The attention's key projection.
  case key = "k_proj"
  /// The attention's value projection.
  case value = "v_proj"
  /// The attention's output projection.
  case output = "o_proj"
  /// The MLP's gate projection.
  case gate = "gate_proj"
  /// The MLP's up projection.
  case up = "up_proj"
  /// The MLP's down projection.
  case down = "down_proj"
}

extension Workflow {
  /// The adapter: `y = W0 x + s Σ_j B_j (A_j x)`, summed over the active rank columns `j`.
  package struct LoRA: Sendable, Hashable {
    /// The number of rank columns in every adapted layer. Default: 16, or the sum of the tasks' ranks if
    /// every task has one.
    package let rank: Int
    /// The numerator of the scale; above 0. Default 32.
    package let alpha: Double
    /// Whether the scale is `alpha / sqrt(columns)` instead of `alpha / columns`. Default `false`.
    package let rankStabilized: Bool
    /// The target modules, in the order of `Projection.allCases`. Default: all seven.
    package let targets: [Projection]
    /// The first transformer block that is adapted. The blocks below it are those of the base model, and the
    /// backward pass stops above them. Default 0: all blocks are adapted.
    package let firstLayer: Int

    /// The number of tasks, among which the rank is split.
    package let taskCount: Int

    /// The scale `s` of the adapter's output: that of the columns of one task, because they train together.
    package var scale: Double { scale(columns: Double(rank) / Double(taskCount)) }

    /// The scale of an adapter of which so many columns train together.
    ///
    /// A step of Adam moves each value by about the learning rate, so the output by an amount proportional to
    /// `s · columns`, which `s = alpha / columns` keeps equal.
    package func scale(columns: Double) -> Double {
      alpha / (rankStabilized ? columns.squareRoot() : columns)
    }
  }
}
