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

  // MARK: Consecutive adapted layers, as replicas exchange them: the values of their A, then of their B

  /// The number of values of the target modules.
  package func count(_ sites: Range<Int>) -> Int { parts(sites).reduce(0) { $0 + $1.count } }

  /// Copies the target modules' values out.
  ///
  /// - Parameter values: capacity for `count(sites)` values.
  package func read(
    _ sites: Range<Int>, into values: UnsafeMutablePointer<Float>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(sites) {
      operations.read(part, into: next)
      next += part.count
    }
  }

  /// Replaces the target modules' values.
  ///
  /// - Parameter values: `count(sites)` values.
  package func write(
    _ values: UnsafePointer<Float>, _ sites: Range<Int>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(sites) {
      operations.write(next, scale: 1, into: part)
      next += part.count
    }
  }

  /// Adds the target modules' values of another buffer with the same layout.
  package func add(_ other: GradientBuffer, _ sites: Range<Int>, _ operations: any TensorOperations) {
    precondition(other.layout == layout, "GradientBuffer: layouts differ")
    for (part, own) in zip(other.parts(sites), parts(sites)) { operations.add(part, to: own) }
  }

  /// A and B as `[1, values]` each.
  private func parts(_ sites: Range<Int>) -> [Matrix] {
    guard !sites.isEmpty else { return [] }
    return [layout.aOffsets + [layout.aCount], layout.bOffsets + [layout.count]].map { offsets in
      flat.columns(offsets[sites.lowerBound]..<offsets[sites.upperBound])
    }
  }
}
