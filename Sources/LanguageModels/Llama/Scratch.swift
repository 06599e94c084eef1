import Tensor

/// A worker's scratch buffers for all layers; nothing in them outlives the pass of a layer.
struct Scratch: Sendable {
  /// The normalised input of attention or of the MLP, `[rows, hidden]`, and its gradient in float32.
  let normed, dNormed: Matrix
  /// The gradient of the residual stream in the compute type, `[rows, hidden]`.
  let dResidual: Matrix
  /// Queries, keys and values before rotation, or their gradient, `[rows, fusedColumns]`.
  let qkv: Matrix
  /// The gradient of the values attended to, `[rows, heads * dimension]`.
  let dAttended: Matrix
  /// silu(gate) ∘ up and its gradient, `[rows, intermediate]`.
  let act, dAct: Matrix
  /// The gradient of gate | up, `[rows, 2 * intermediate]`.
  let dGateUp: Matrix
  /// The gradient of x Aᵀ, and trainable columns of x Aᵀ or of that gradient.
  let dXA, trainableXA: Matrix
  /// Wanted rows of the residual stream, `[rows, hidden]` float32, and of the values attended to,
  /// `[rows, heads * dimension]`, or of their gradients.
  let selectedResidual, selectedAttended: Matrix

  init(_ plan: inout BufferPlanner) {
    let (hidden, intermediate) = (plan.configuration.hiddenSize, plan.configuration.intermediateSize)
    let shape = plan.configuration.attentionShape
    normed = plan.matrix(hidden)
    dNormed = plan.gradient(hidden, .float32)
    dResidual = plan.gradient(hidden)
    qkv = plan.matrix(shape.fusedColumns)
    dAttended = plan.gradient(shape.heads * shape.dimension)
    act = plan.matrix(intermediate)
    dAct = plan.gradient(intermediate)
    dGateUp = plan.gradient(2 * intermediate)
    dXA = plan.gradient(plan.widestXA)
    trainableXA = plan.gradient(plan.widestXA)
    selectedResidual = plan.matrix(hidden, .float32)
    selectedAttended = plan.matrix(shape.heads * shape.dimension)
  }
}
