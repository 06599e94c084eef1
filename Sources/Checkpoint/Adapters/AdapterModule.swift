/// The LoRA matrices of one adapted linear layer: `y = W x + scale · B (A x)`.
package struct AdapterModule: Sendable, Equatable {
  /// The layer's module path in the Hugging Face model, such as `model.layers.0.self_attn.q_proj`.
  package let path: String
  /// The rank r of the adapter.
  package let rank: Int
  /// The width of the layer's input.
  package let inputs: Int
  /// The width of the layer's output.
  package let outputs: Int
  /// `[rank, inputs]`, row-major.
  package let a: [Float]
  /// `[outputs, rank]`, row-major.
  package let b: [Float]

  /// - Precondition: `a` and `b` have the sizes of their shapes.
  package init(path: String, rank: Int, inputs: Int, outputs: Int, a: [Float], b: [Float]) {
    precondition(rank > 0 && a.count == rank * inputs, "\(path): A must be [\(rank), \(inputs)]")
    precondition(b.count == outputs * rank, "\(path): B must be [\(outputs), \(rank)]")
    self.path = path
    self.rank = rank
    self.inputs = inputs
    self.outputs = outputs
    self.a = a
    self.b = b
  }
}
