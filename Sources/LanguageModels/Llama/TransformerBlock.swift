import Checkpoint
import Tensor

/// One transformer block: `h += attention(norm(h)); h += mlp(norm(h))`, where h is the residual stream,
/// `[rows, hidden]` float32.
struct TransformerBlock: Sendable {
  private let attentionNorm: RMSNormWeight
  private let attention: Attention
  private let mlpNorm: RMSNormWeight
  private let mlp: MLP

  /// - Throws: the source's error for a missing or damaged tensor.
  init(_ source: any WeightSource, layer: Int, device: any ComputeDevice, use: PackedUse) throws {
    attentionNorm = try RMSNormWeight(source, .attentionNorm(layer: layer), device: device)
    attention = try Attention(source, layer: layer, device: device, use: use)
    mlpNorm = try RMSNormWeight(source, .feedForwardNorm(layer: layer), device: device)
    mlp = try MLP(source, layer: layer, device: device, use: use)
  }

  /// The linear layers.
  var linears: [AdaptedLinear] { attention.linears + mlp.linears }

  /// Kept for the backward pass.
  struct Activations {
    /// The residual stream before attention and before the MLP, `[rows, hidden]` float32.
    fileprivate let input, middle: Matrix
    /// 1 / root mean square of `input` and of `middle`, `[rows, 1]` float32.
    fileprivate let inputRstd, middleRstd: Matrix
    let attention: Attention.Activations
    fileprivate let mlp: MLP.Activations

    init(_ plan: inout BufferPlanner) {
      input = plan.matrix(plan.configuration.hiddenSize, .float32)
      middle = plan.matrix(plan.configuration.hiddenSize, .float32)
      inputRstd = plan.matrix(1, .float32)
      middleRstd = plan.matrix(1, .float32)
      attention = Attention.Activations(&plan)
      mlp = MLP.Activations(&plan)
    }
  }

  // MARK: Forward

  /// Replaces h with the block's output. `store` gets the keys and values.
  ///
  /// If only some rows of the output are wanted, the other rows of h are unchanged.
  func forward(
    _ h: Matrix, _ saved: Activations, store: KeyValueStore, outputRows: [Int]?, _ pass: LayerPass
  ) {
    let operations = pass.operations
    let (input, normed) = (saved.input.rows(0..<h.rows), pass.scratch.normed.rows(0..<h.rows))
    operations.copy(h, into: input)
    attentionNorm.forward(input, into: normed, rstd: saved.inputRstd, operations)
    attention.attend(normed, saved.attention, store: store, pass)
    let attended = saved.attention.attended.rows(0..<h.rows)
    guard let outputRows else { return forwardByRow(h, attended: attended, saved, pass) }
    let residual = gather(h, outputRows, into: pass.scratch.selectedResidual, operations)
    forwardByRow(
      residual, attended: gather(attended, outputRows, into: pass.scratch.selectedAttended, operations),
      saved, pass)
    operations.scatterRows(residual.rows(0..<outputRows.count), outputRows, into: h)
  }

  /// The part of the block after attention, in which rows are independent of each other.
  private func forwardByRow(_ h: Matrix, attended: Matrix, _ saved: Activations, _ pass: LayerPass) {
    let (middle, normed) = (saved.middle.rows(0..<h.rows), pass.scratch.normed.rows(0..<h.rows))
    attention.project(attended, addTo: h, saved.attention, pass)
    pass.operations.copy(h, into: middle)
    mlpNorm.forward(middle, into: normed, rstd: saved.middleRstd, pass.operations)
    mlp.forward(normed, addTo: h, saved.mlp, pass)
  }

  // MARK: Backward

  /// Replaces dh, the gradient of the block's output, with that of its input. If `inputGradient` is false,
  /// only the adapter's gradients are computed below this block's attention.
  ///
  /// - Precondition: `outputRows` are those of the forward pass, and dh is zero in all other rows.
  func backward(
    _ dh: Matrix, _ saved: Activations, _ gradients: GradientBuffer, inputGradient: Bool,
    outputRows: [Int]?, _ pass: LayerPass
  ) {
    let operations = pass.operations
    let attended = saved.attention.attended.rows(0..<dh.rows)
    if let outputRows {
      let residual = gather(dh, outputRows, into: pass.scratch.selectedResidual, operations)
      let selected = gather(attended, outputRows, into: pass.scratch.selectedAttended, operations)
      backwardByRow(residual, attended: selected, saved, gradients, pass)
      operations.scatterRows(residual.rows(0..<outputRows.count), outputRows, into: dh)
      let dAttended = pass.scratch.dAttended.rows(0..<dh.rows)
      operations.copy(dAttended.rows(0..<selected.rows), into: selected)
      operations.zero(dAttended)
      operations.scatterRows(selected.rows(0..<outputRows.count), outputRows, into: dAttended)
    } else {
      backwardByRow(dh, attended: attended, saved, gradients, pass)
    }
    let (input, normed) = (saved.input.rows(0..<dh.rows), pass.scratch.normed.rows(0..<dh.rows))
    let dNormed = inputGradient ? pass.scratch.dNormed.rows(0..<dh.rows) : nil
    attentionNorm.forward(input, into: normed, rstd: saved.inputRstd, operations)
    attention.attendBackward(x: normed, into: dNormed, saved.attention, gradients, pass)
    if let dNormed {
      attentionNorm.backward(dNormed, x: input, rstd: saved.inputRstd, addTo: dh, operations)
    }
  }

  /// Replaces dh with the gradient of the residual stream before the output of attention was added; sets
  /// `pass.scratch.dAttended`.
  private func backwardByRow(
    _ dh: Matrix, attended: Matrix, _ saved: Activations, _ gradients: GradientBuffer, _ pass: LayerPass
  ) {
    let operations = pass.operations
    let (middle, normed) = (saved.middle.rows(0..<dh.rows), pass.scratch.normed.rows(0..<dh.rows))
    let dNormed = pass.scratch.dNormed.rows(0..<dh.rows)
    mlpNorm.forward(middle, into: normed, rstd: saved.middleRstd, operations)
    mlp.backward(inComputeType(dh, pass), x: normed, into: dNormed, saved.mlp, gradients, pass)
    mlpNorm.backward(dNormed, x: middle, rstd: saved.middleRstd, addTo: dh, operations)
    attention.projectBackward(
      inComputeType(dh, pass), attended: attended, saved.attention, gradients, pass)
  }

  // MARK: Rows and types

  /// Copies the rows `indices` of `source`; the padding beyond them becomes zero.
  private func gather(
    _ source: Matrix, _ indices: [Int], into buffer: Matrix, _ operations: any TensorOperations
  ) -> Matrix {
    let target = buffer.rows(0..<PackedBatch.padded(indices.count))
    operations.gatherRows(source, indices, into: target)
    operations.zero(target.rows(indices.count..<target.rows))
    return target
  }

  /// dh in the type that products take.
  private func inComputeType(_ dh: Matrix, _ pass: LayerPass) -> Matrix {
    if pass.scratch.dResidual.type == dh.type { return dh }
    let output = pass.scratch.dResidual.rows(0..<dh.rows)
    pass.operations.copy(dh, into: output)
    return output
  }
}
