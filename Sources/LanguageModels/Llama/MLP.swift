import Checkpoint
import Tensor

/// The feed-forward layer with SwiGLU: `down(silu(gate(x)) ∘ up(x))`.
struct MLP: Sendable {
  private let gateUp: AdaptedLinear
  private let down: AdaptedLinear

  init(_ source: any WeightSource, layer: Int, device: any ComputeDevice, use: PackedUse) throws {
    gateUp = try AdaptedLinear(source, .gateUp, layer: layer, device: device, use: use)
    down = try AdaptedLinear(source, .down, layer: layer, device: device, use: use)
  }

  var linears: [AdaptedLinear] { [gateUp, down] }

  /// Kept for the backward pass.
  struct Activations {
    /// gate | up, `[rows, 2 * intermediate]`.
    fileprivate let gateUp: Matrix
    /// x Aᵀ of gate and up, and of down.
    fileprivate let gateUpA, downA: Matrix

    init(_ plan: inout BufferPlanner) {
      gateUpA = plan.xA(.gateUp)
      gateUp = plan.matrix(2 * plan.configuration.intermediateSize)
      downA = plan.xA(.down)
    }
  }

  /// Adds the output for x `[rows, hidden]` to h `[rows, hidden]`.
  func forward(_ x: Matrix, addTo h: Matrix, _ saved: Activations, _ pass: LayerPass) {
    let (fused, act) = (saved.gateUp.rows(0..<x.rows), pass.scratch.act.rows(0..<x.rows))
    gateUp.forward(x, into: fused, xA: saved.gateUpA, pass)
    pass.operations.swiGLU(fused, into: act)
    down.forward(act, into: h, accumulate: true, xA: saved.downA, pass)
  }

  /// Sets dx `[rows, hidden]` to the gradient of x, given dy `[rows, hidden]`, that of the output.
  func backward(
    _ dy: Matrix, x: Matrix, into dx: Matrix, _ saved: Activations,
    _ gradients: GradientBuffer, _ pass: LayerPass
  ) {
    let (fused, act) = (saved.gateUp.rows(0..<x.rows), pass.scratch.act.rows(0..<x.rows))
    let (dFused, dAct) = (pass.scratch.dGateUp.rows(0..<x.rows), pass.scratch.dAct.rows(0..<x.rows))
    pass.operations.swiGLU(fused, into: act)
    down.backward(dy, x: act, xA: saved.downA, into: dAct, gradients, pass)
    pass.operations.swiGLUBackward(gateUp: fused, dAct: dAct, into: dFused)
    gateUp.backward(dFused, x: x, xA: saved.gateUpA, into: dx, gradients, pass)
  }
}
