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

  /// The gradient of the A of consecutive target modules with the same input, `[modules * columns, inputs]`.
  func a(_ modules: [Int]) -> Matrix {
    let first = modules[0]
    precondition(
      modules == Array(first..<first + modules.count), "GradientBuffer: modules are not consecutive")
    let rows = modules.count * layout.columns
    let inputs = layout.modules[first].inputs
    return flat.columns(layout.aOffsets[first]..<layout.aOffsets[first] + rows * inputs)
      .reshaped(rows: rows, columns: inputs)
  }

  /// The gradient of a target module's scale · B, `[outputs, columns]`.
  func b(_ module: Int) -> Matrix {
    flat.columns(
      layout.bOffsets[module]..<layout.bOffsets[module] + layout.columns * layout.modules[module].outputs
    )
    .reshaped(rows: layout.modules[module].outputs, columns: layout.columns)
  }

  // MARK: Consecutive adapted layers, as replicas exchange them: the values of their A, then of their B

  /// The number of values of the target modules.
  package func count(_ modules: Range<Int>) -> Int { parts(modules).reduce(0) { $0 + $1.count } }

  /// Copies the target modules' values out.
  ///
  /// - Parameter values: capacity for `count(modules)` values.
  package func read(
    _ modules: Range<Int>, into values: UnsafeMutablePointer<Float>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(modules) {
      operations.read(part, into: next)
      next += part.count
    }
  }

  /// Replaces the target modules' values.
  ///
  /// - Parameter values: `count(modules)` values.
  package func write(
    _ values: UnsafePointer<Float>, _ modules: Range<Int>, _ operations: any TensorOperations
  ) {
    var next = values
    for part in parts(modules) {
      operations.write(next, scale: 1, into: part)
      next += part.count
    }
  }

  /// Adds the target modules' values of another buffer with the same layout.
  package func add(_ other: GradientBuffer, _ modules: Range<Int>, _ operations: any TensorOperations) {
    precondition(other.layout == layout, "GradientBuffer: layouts differ")
    for (part, own) in zip(other.parts(modules), parts(modules)) { operations.add(part, to: own) }
  }

  /// A and B as `[1, values]` each.
  private func parts(_ modules: Range<Int>) -> [Matrix] {
    guard !modules.isEmpty else { return [] }
    return [layout.aOffsets + [layout.aCount], layout.bOffsets + [layout.count]].map { offsets in
      flat.columns(offsets[modules.lowerBound]..<offsets[modules.upperBound])
    }
  }
}
