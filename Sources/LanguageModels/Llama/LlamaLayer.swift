import Checkpoint
import Tensor

/// The packed weights of one transformer block.
///
/// Unchecked: nothing is merged while a pass is running.
final class LlamaLayer: @unchecked Sendable {
  let index: Int
  let attentionNorm: NormWeight
  let feedForwardNorm: NormWeight
  /// One stacked weight for each fused projection: queries, keys and values `[fusedColumns, hidden]`;
  /// attention's output `[hidden, heads * dimension]`; gate and up `[2 * intermediate, hidden]`; down
  /// `[hidden, intermediate]`.
  private var weights: [any PackedMatrix]
  private let use: PackedUse

  init(_ source: any WeightSource, index: Int, device: any ComputeDevice, use: PackedUse) throws {
    self.index = index
    self.use = use
    attentionNorm = try NormWeight(source, .attentionNorm(layer: index), device: device)
    feedForwardNorm = try NormWeight(source, .feedForwardNorm(layer: index), device: device)
    weights = try FusedProjection.allCases.map {
      try device.freeze(source, $0, layer: index, use: use, adding: nil)
    }
  }

  /// Reads the adapted weights again and adds `merged` to them. Old and new weights coexist, one fused
  /// projection at a time.
  func merge(_ merged: MergedColumns, _ source: any WeightSource, device: any ComputeDevice) throws {
    for group in FusedProjection.allCases where merged.isEmpty || merged.adapts(group, layer: index) {
      weights[group.rawValue] = try device.freeze(source, group, layer: index, use: use, adding: merged)
    }
  }

  /// Bytes of the packed weights.
  var weightBytes: Int { weights.reduce(0) { $0 + $1.byteCount } }
}

/// The arguments that all layers of a pass share.
struct LayerPass {
  let configuration: LlamaConfiguration
  let rotary: RotaryTable
  let segments: [AttentionSegment]
  /// The number of rows with a token; rows beyond are zero.
  let rowCount: Int
  let adapter: DeviceAdapter?
  let operations: any TensorOperations
}

// Forward and backward of a block. h is the residual stream, `[rows, hidden]` float32.
extension LlamaLayer {
  /// Replaces h with the block's output. `activations` and `store` keep what backward or a later token needs.
  ///
  /// If only some rows of the output are wanted, the other rows of h are unchanged.
  func forward(
    _ h: Matrix, _ activations: LayerActivations, store: KeyValueStore, _ scratch: LayerScratch,
    outputRows: [Int]? = nil, _ pass: LayerPass
  ) {
    let operations = pass.operations
    operations.copy(h, into: activations.input)
    attentionNorm.apply(to: activations.input, into: scratch.normed, rstd: activations.inputRstd, pass)
    project(
      scratch.normed, .qkv, into: scratch.fused, accumulate: false, activations, pass)
    operations.attention(
      pass.configuration.attentionShape, segments: pass.segments, fused: scratch.fused,
      cosine: pass.rotary.cosine, sine: pass.rotary.sine, queries: activations.queries, store: store,
      out: activations.attended, lse: activations.lse)
    operations.zero(activations.attended.rows(pass.rowCount..<activations.attended.rows))
    guard let outputRows else {
      return feedForward(h, attended: activations.attended, activations, scratch, pass)
    }
    let count = PackedBatch.padded(outputRows.count)
    let selected = scratch.selected(count)
    gather(h, outputRows, into: selected.residual, operations)
    gather(activations.attended, outputRows, into: selected.attended, operations)
    feedForward(
      selected.residual, attended: selected.attended, activations.narrowed(to: count),
      scratch.narrowed(to: count), pass)
    operations.scatterRows(selected.residual.rows(0..<outputRows.count), outputRows, into: h)
  }

  /// Replaces dh, the gradient of the block's output, with that of its input. If `inputGradient` is false,
  /// only the adapter's gradients are computed below this layer's attention.
  ///
  /// - Precondition: `outputRows` are those of the forward pass, and dh is zero in all other rows.
  func backward(
    _ dh: Matrix, _ activations: LayerActivations, _ scratch: LayerScratch, gradients: GradientBuffer,
    inputGradient: Bool, outputRows: [Int]? = nil, _ pass: LayerPass
  ) {
    let operations = pass.operations
    if let outputRows {
      let count = PackedBatch.padded(outputRows.count)
      let selected = scratch.selected(count)
      let narrow = scratch.narrowed(to: count)
      gather(dh, outputRows, into: selected.residual, operations)
      gather(activations.attended, outputRows, into: selected.attended, operations)
      feedForwardBackward(
        selected.residual, attended: selected.attended, activations.narrowed(to: count), narrow, gradients,
        pass)
      operations.scatterRows(selected.residual.rows(0..<outputRows.count), outputRows, into: dh)
      operations.copy(narrow.dAttended, into: selected.attended)
      operations.zero(scratch.dAttended)
      operations.scatterRows(
        selected.attended.rows(0..<outputRows.count), outputRows, into: scratch.dAttended)
    } else {
      feedForwardBackward(dh, attended: activations.attended, activations, scratch, gradients, pass)
    }
    operations.attentionBackward(
      pass.configuration.attentionShape, segments: pass.segments, dOut: scratch.dAttended,
      queries: activations.queries, store: activations.store, out: activations.attended,
      lse: activations.lse, cosine: pass.rotary.cosine, sine: pass.rotary.sine, into: scratch.fused)
    operations.zero(scratch.fused.rows(pass.rowCount..<scratch.fused.rows))
    attentionNorm.apply(to: activations.input, into: scratch.normed, rstd: activations.inputRstd, pass)
    projectBackward(
      scratch.fused, .qkv, x: scratch.normed,
      into: inputGradient ? scratch.dNormed : nil, gradients, activations, scratch, pass)
    if inputGradient {
      operations.rmsNormBackward(
        dy: scratch.dNormed, x: activations.input, weight: attentionNorm.matrix,
        rstd: activations.inputRstd, addTo: dh)
    }
  }

  /// The row-wise part of the block after attention: adds the output projection and the MLP to h.
  private func feedForward(
    _ h: Matrix, attended: Matrix, _ activations: LayerActivations, _ scratch: LayerScratch, _ pass: LayerPass
  ) {
    let operations = pass.operations
    project(attended, .attentionOutput, into: h, accumulate: true, activations, pass)
    operations.copy(h, into: activations.middle)
    feedForwardNorm.apply(to: activations.middle, into: scratch.normed, rstd: activations.middleRstd, pass)
    project(
      scratch.normed, .gateUp, into: activations.gateUp, accumulate: false, activations,
      pass)
    operations.swiGLU(activations.gateUp, into: scratch.act)
    project(scratch.act, .down, into: h, accumulate: true, activations, pass)
  }

  /// Replaces dh with the gradient of the residual stream before attention's output was added; writes the
  /// gradient of that output to `scratch.dAttended`.
  private func feedForwardBackward(
    _ dh: Matrix, attended: Matrix, _ activations: LayerActivations, _ scratch: LayerScratch,
    _ gradients: GradientBuffer, _ pass: LayerPass
  ) {
    let operations = pass.operations
    operations.swiGLU(activations.gateUp, into: scratch.act)
    projectBackward(
      entering(dh, scratch, operations), .down, x: scratch.act, into: scratch.dAct,
      gradients, activations, scratch, pass)
    operations.swiGLUBackward(gateUp: activations.gateUp, dAct: scratch.dAct, into: scratch.dGateUp)
    feedForwardNorm.apply(to: activations.middle, into: scratch.normed, rstd: activations.middleRstd, pass)
    projectBackward(
      scratch.dGateUp, .gateUp, x: scratch.normed, into: scratch.dNormed, gradients,
      activations, scratch, pass)
    operations.rmsNormBackward(
      dy: scratch.dNormed, x: activations.middle, weight: feedForwardNorm.matrix,
      rstd: activations.middleRstd, addTo: dh)
    projectBackward(
      entering(dh, scratch, operations), .attentionOutput, x: attended, into: scratch.dAttended,
      gradients, activations, scratch, pass)
  }

  /// Copies the rows `indices` of `source`; the rows beyond them become zero.
  private func gather(
    _ source: Matrix, _ indices: [Int], into target: Matrix, _ operations: any TensorOperations
  ) {
    operations.gatherRows(source, indices, into: target)
    operations.zero(target.rows(indices.count..<target.rows))
  }

  /// y = x Wᵀ + scale · (x Aᵀ) Bᵀ.
  private func project(
    _ x: Matrix, _ group: FusedProjection, into y: Matrix, accumulate: Bool,
    _ activations: LayerActivations, _ pass: LayerPass
  ) {
    pass.operations.project(x, weights[group.rawValue], into: y, accumulate: accumulate)
    guard let adapted = pass.adapter?.group(group, layer: index) else { return }
    adapted.forward(x, u: activations.low(group, columns: adapted.a.rows), addTo: y, pass.operations)
  }

  /// dx = dy W + scale · (dy B) A, and the gradients of A and B.
  private func projectBackward(
    _ dy: Matrix, _ group: FusedProjection, x: Matrix, into dx: Matrix?,
    _ gradients: GradientBuffer, _ activations: LayerActivations, _ scratch: LayerScratch,
    _ pass: LayerPass
  ) {
    if let dx { pass.operations.projectBackward(dy, weights[group.rawValue], into: dx, accumulate: false) }
    guard let adapted = pass.adapter?.group(group, layer: index) else { return }
    adapted.backward(
      dy: dy, x: x, u: activations.low(group, columns: adapted.a.rows), addTo: dx, gradients: gradients,
      scratch.lowRank, pass.operations)
  }

  /// dh in the compute type of matrix products.
  private func entering(_ dh: Matrix, _ scratch: LayerScratch, _ operations: any TensorOperations) -> Matrix {
    if scratch.dOutput.type == dh.type { return dh }
    operations.copy(dh, into: scratch.dOutput)
    return scratch.dOutput
  }
}

/// A norm's weight on a device, `[1, hidden]` float32.
final class NormWeight: Sendable {
  let matrix: Matrix
  private let memory: DeviceMemory

  init(_ values: [Float], device: any ComputeDevice) {
    memory = device.allocate(byteCount: values.count * 4)
    matrix = memory.matrix(rows: 1, columns: values.count, type: .float32)
    device.makeOperations(threads: 1).write(values, scale: 1, into: matrix)
  }

  /// Computes y and rstd of x `[rows, hidden]`.
  func apply(to x: Matrix, into y: Matrix, rstd: Matrix, _ pass: LayerPass) {
    pass.operations.rmsNorm(
      x, weight: matrix, epsilon: pass.configuration.rmsNormEpsilon, into: y, rstd: rstd)
  }
}
