import Checkpoint
import Tensor

/// Causal grouped-query attention with rotary positions: `softmax(q kᵀ / √dimension) v`, then the output
/// projection.
///
/// The two halves are separate methods, because attention needs all rows of its input, but the output
/// projection only the wanted ones.
struct Attention: Sendable {
  private let shape: AttentionShape
  private let qkv: AdaptedLinear
  private let output: AdaptedLinear

  init(_ source: any WeightSource, layer: Int, device: any ComputeDevice, use: PackedUse) throws {
    shape = source.configuration.attentionShape
    qkv = try AdaptedLinear(source, .qkv, layer: layer, device: device, use: use)
    output = try AdaptedLinear(source, .attentionOutput, layer: layer, device: device, use: use)
  }

  var linears: [AdaptedLinear] { [qkv, output] }

  /// Kept for the backward pass.
  struct Activations {
    /// x Aᵀ of the queries, keys and values, and of the output projection.
    fileprivate let qkvA, outputA: Matrix
    /// Rotated queries, `[rows * heads, dimension]`, and the log-sum-exp of their scores.
    fileprivate let queries, lse: Matrix
    /// Rotated keys, and values.
    let store: KeyValueStore
    /// The values attended to, `[rows, heads * dimension]`.
    let attended: Matrix

    init(_ plan: inout BufferPlanner) {
      let shape = plan.configuration.attentionShape
      qkvA = plan.xA(.qkv)
      queries = plan.matrix(rows: plan.rows * shape.heads, shape.dimension)
      lse = plan.matrix(rows: 1, plan.rows * shape.heads, .float32)
      store = plan.keyValueStore()
      attended = plan.matrix(shape.heads * shape.dimension)
      outputA = plan.xA(.attentionOutput)
    }
  }

  /// Sets `saved.attended` to what each row of x `[rows, hidden]` attends to. Keys and values go to `store`.
  func attend(_ x: Matrix, _ saved: Activations, store: KeyValueStore, _ pass: LayerPass) {
    let (fused, attended) = (pass.scratch.qkv.rows(0..<x.rows), saved.attended.rows(0..<x.rows))
    qkv.forward(x, into: fused, xA: saved.qkvA, pass)
    pass.operations.attention(
      shape, segments: pass.segments, fused: fused, cosine: pass.rotary.cosine,
      sine: pass.rotary.sine, queries: saved.queries, store: store, out: attended, lse: saved.lse)
    pass.zeroPadding(attended)
  }

  /// Adds the output projection of `attended` `[rows, heads * dimension]` to h `[rows, hidden]`.
  func project(_ attended: Matrix, addTo h: Matrix, _ saved: Activations, _ pass: LayerPass) {
    output.forward(attended, into: h, accumulate: true, xA: saved.outputA, pass)
  }

  /// Sets `pass.scratch.dAttended` to the gradient of `attended`, given that of the output projection.
  func projectBackward(
    _ dy: Matrix, attended: Matrix, _ saved: Activations, _ gradients: GradientBuffer, _ pass: LayerPass
  ) {
    output.backward(
      dy, x: attended, xA: saved.outputA, into: pass.scratch.dAttended.rows(0..<dy.rows), gradients, pass)
  }

  /// Sets dx, if given, to the gradient of x, given `pass.scratch.dAttended`.
  func attendBackward(
    x: Matrix, into dx: Matrix?, _ saved: Activations, _ gradients: GradientBuffer, _ pass: LayerPass
  ) {
    let fused = pass.scratch.qkv.rows(0..<x.rows)
    pass.operations.attentionBackward(
      shape, segments: pass.segments, dOut: pass.scratch.dAttended.rows(0..<x.rows), queries: saved.queries,
      store: saved.store, out: saved.attended.rows(0..<x.rows), lse: saved.lse, cosine: pass.rotary.cosine,
      sine: pass.rotary.sine, into: fused)
    pass.zeroPadding(fused)
    qkv.backward(fused, x: x, xA: saved.qkvA, into: dx, gradients, pass)
  }
}

extension LlamaConfiguration {
  /// The sizes of the attention layers.
  package var attentionShape: AttentionShape {
    AttentionShape(heads: headCount, keyValueHeads: keyValueHeadCount, dimension: headDimension)
  }
}
