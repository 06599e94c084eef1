/// Computes the gradients of optimiser steps: all layers in this process, or one stage of a pipeline.
public protocol GradientComputing: AnyObject {
  /// The gradient of the last step, of the layers that this process holds.
  var gradients: GradientBuffer { get }
  /// Bytes of activations, scratch, gradients and messages.
  var byteCount: Int { get }
  /// The sum of -log p over all targets, as far as this process computes it: 0 on a stage without the head.
  /// Leaves `scale` times its gradient in ``gradients``.
  ///
  /// - Throws: what the weight source throws when embeddings cannot be read, and the transport's errors.
  func step(_ batches: [PackedBatch], scale: Float) throws -> Double
}
