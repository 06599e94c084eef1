import Tensor

/// Gradients of the trainable columns: one flat float32 vector in the order of a ``TrainableLayout``.
///
/// Unchecked: each worker writes a buffer of its own.
package final class GradientBuffer: @unchecked Sendable {
  /// The layout of the vector.
  package let layout: TrainableLayout
  private let memory: DeviceMemory

  /// A buffer of zeros.
  package init(_ layout: TrainableLayout, device: any ComputeDevice) {
    self.layout = layout
    memory = device.allocate(byteCount: max(layout.count, 1) * 4)
  }

  /// The whole vector, `[1, count]`.
  package var flat: Matrix { memory.matrix(rows: 1, columns: layout.count, type: .float32) }

  /// The gradient of the A of consecutive target modules with the same input, `[sites * columns, inputs]`.
  func a(_ sites: [Int]) -> Matrix {
    let first = sites[0]
    precondition(sites == Array(first..<first + sites.count), "GradientBuffer: sites are not consecutive")
    let rows = sites.count * layout.columns
    let inputs = layout.sites[first].inputs
    return flat.columns(layout.aOffsets[first]..<layout.aOffsets[first] + rows * inputs)
      .reshaped(rows: rows, columns: inputs)
  }

  /// The gradient of a target module's scale · B, `[outputs, columns]`.
  func b(_ site: Int) -> Matrix {
    flat.columns(layout.bOffsets[site]..<layout.bOffsets[site] + layout.columns * layout.sites[site].outputs)
      .reshaped(rows: layout.sites[site].outputs, columns: layout.columns)
  }
}
