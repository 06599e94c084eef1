import Checkpoint
import Tensor

/// The linear layers of one fused projection, with their weights stacked, and what an adapter adds to them:
/// y = x Wᵀ + s (x Aᵀ) Bᵀ.
///
/// Unchecked: nothing is merged while a pass is running.
final class AdaptedLinear: @unchecked Sendable {
  private let projection: FusedProjection
  private let layer: Int
  private let use: PackedUse
  /// W `[outputs, inputs]`.
  private var weight: any PackedMatrix

  /// - Throws: the source's error for a missing or damaged tensor.
  init(
    _ source: any WeightSource, _ projection: FusedProjection, layer: Int, device: any ComputeDevice,
    use: PackedUse
  ) throws {
    (self.projection, self.layer, self.use) = (projection, layer, use)
    weight = try device.freeze(source, projection, layer: layer, use: use, adding: nil)
  }

  /// Writes x Wᵀ + s (x Aᵀ) Bᵀ to y `[rows, outputs]`, or adds it if `accumulate`. Keeps x Aᵀ for the backward
  /// pass.
  func forward(_ x: Matrix, into y: Matrix, accumulate: Bool = false, xA: Matrix, _ pass: LayerPass) {
    pass.operations.project(x, weight, into: y, accumulate: accumulate)
    pass.adapter?.layer(projection, of: layer)?.forward(x, xA: xA, addTo: y, pass.operations)
  }

  /// Writes dy W + s (dy B) A to dx `[rows, inputs]`, if given, and the gradients of A and B to `gradients`.
  func backward(
    _ dy: Matrix, x: Matrix, xA: Matrix, into dx: Matrix?, _ gradients: GradientBuffer, _ pass: LayerPass
  ) {
    if let dx { pass.operations.projectBackward(dy, weight, into: dx, accumulate: false) }
    pass.adapter?.layer(projection, of: layer)?.backward(
      dy: dy, x: x, xA: xA, addTo: dx, gradients: gradients, pass.scratch, pass.operations)
  }

  /// Reads W again and adds `merged` to it, unless `merged` has nothing for it. The old and the new W coexist.
  func merge(_ merged: MergedColumns, _ source: any WeightSource, device: any ComputeDevice) throws {
    guard merged.isEmpty || merged.adapts(projection, layer: layer) else { return }
    weight = try device.freeze(source, projection, layer: layer, use: use, adding: merged)
  }

  /// Bytes of the packed weight.
  var weightBytes: Int { weight.byteCount }
}

extension ComputeDevice {
  /// Packs the weights of a fused projection, stacked.
  fileprivate func freeze(
    _ source: any WeightSource, _ fused: FusedProjection, layer: Int, use: PackedUse,
    adding merged: MergedColumns?
  ) throws -> any PackedMatrix {
    let names = fused.projections.map { $0.weight(layer: layer) }
    let shapes = try names.map { try source.shape(of: $0) }
    let inputs = shapes[0][1]
    let outputs = shapes.reduce(0) { $0 + $1[0] }
    return try freeze(outputs: outputs, inputs: inputs, use: use) { target in
      var row = 0
      for (projection, (name, shape)) in zip(fused.projections, zip(names, shapes)) {
        try source.readFloat32(name, rows: 0..<shape[0], into: target + row * inputs)
        merged?.add(to: target + row * inputs, projection, layer: layer, self)
        row += shape[0]
      }
    }
  }
}
