import LanguageModels

/// What a method has learnt.
package struct FittedMethod: Sendable {
  /// What a task is answered with.
  package struct View: Sendable {
    package var adapter: LoRAAdapter
    /// Its columns that are computed.
    package var columns: [Int]

    package init(_ adapter: LoRAAdapter, columns: [Int]) { (self.adapter, self.columns) = (adapter, columns) }

    /// All columns of an adapter.
    package init(_ adapter: LoRAAdapter) { self.init(adapter, columns: Array(0..<adapter.rank)) }
  }

  /// A validation during training.
  package struct Point: Sendable, Hashable, Codable {
    package var task: String
    /// The tokens of all samples trained on so far, of all tasks.
    package var tokens: Int
    /// The accuracy on the validation episodes with gold parents' answers, 0...1.
    package var accuracy: Double
    /// Mean cross-entropy over the gold replies' tokens, in nats.
    package var loss: Double

    package init(task: String, tokens: Int, accuracy: Double, loss: Double) {
      (self.task, self.tokens, self.accuracy, self.loss) = (task, tokens, accuracy, loss)
    }
  }

  /// By task; empty for the base model.
  package var views: [String: View] = [:]
  /// The number of trained values.
  package var parameters = 0
  /// Optimiser steps taken.
  package var steps = 0
  /// Tokens of the samples trained on.
  package var tokens = 0
  /// Wall time of the training with its validations, without the evaluations on test episodes.
  package var seconds = 0.0
  /// By task, the share of test episodes that were right, with gold parents' answers, when the task had just been
  /// trained. Tasks that never train alone have none.
  package var rightAfter: [String: Double] = [:]
  /// The validations, in order.
  package var course: [Point] = []

  package init() {}
}
