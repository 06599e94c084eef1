import Tensor

/// AdamW over the trainable columns of one phase. It has parameters and moments for those columns only, so
/// that momentum and weight decay cannot change any other.
package final class ColumnOptimizer: @unchecked Sendable {
  // Unchecked: not used from two threads at once; its workers split the vector.
  /// The layout of the flat vectors.
  package let layout: TrainableLayout
  /// The adapter's columns that train.
  package let columns: [Int]
  private let scale: Float
  private let device: any ComputeDevice
  private let vector: FlatAdamW
  private let workers: [any TensorOperations]

  /// Starts with the adapter's values and zero moments.
  package init(
    _ adapter: LoRAAdapter, view: DeviceAdapter, settings: AdamWSettings, device: any ComputeDevice
  ) {
    layout = view.layout
    columns = view.columns.trainable
    scale = adapter.scale
    self.device = device
    vector = FlatAdamW(layout.gather(adapter, columns: columns), settings: settings, device: device)
    workers = (0..<device.workerCount).map { _ in device.makeOperations(threads: 1) }
  }

  /// Bytes allocated.
  package var byteCount: Int { vector.byteCount }

  /// The number of steps taken.
  package var step: Int { vector.step }

  /// The squared Euclidean norm of the gradient of each adapted layer. Added in this order, the sum is the
  /// same however the layers are distributed.
  package func squaredNorms(_ gradients: GradientBuffer) -> [Double] {
    let flat = gradients.flat
    return layout.modules.indices.map { index in
      let module = layout.modules[index]
      let aStart = layout.aOffsets[index]
      let bStart = layout.bOffsets[index]
      let a = workers[0].sumOfSquares(flat.columns(aStart..<aStart + layout.columns * module.inputs))
      let b = workers[0].sumOfSquares(flat.columns(bStart..<bStart + layout.columns * module.outputs))
      // The workers computed the gradient of scale · B.
      return a + b * Double(scale) * Double(scale)
    }
  }

  /// Takes one step with `gradients * factor` and updates `view` with the new values.
  package func update(_ gradients: GradientBuffer, factor: Float, learningRate: Float, view: DeviceAdapter) {
    // A's gradients are final; B's must still be multiplied by the scale.
    vector.update(
      gradients.flat,
      [(0..<layout.aCount, factor), (layout.aCount..<layout.count, factor * scale)],
      learningRate: learningRate)
    let (parameters, parts) = (vector.parameters, workers.count)
    device.onEachWorker { index in
      view.refresh(
        parameters.address.assumingMemoryBound(to: Float.self), part: index, of: parts, workers[index])
    }
  }

  /// Writes the trained columns back; the adapter's other values are unchanged.
  package func commit(to adapter: inout LoRAAdapter) {
    layout.scatter(
      vector.parameters.address.assumingMemoryBound(to: Float.self), into: &adapter, columns: columns)
  }

  /// The state needed to resume: the moments, flat in ``layout``, and the number of steps. The parameters are
  /// in the adapter.
  package struct State: Sendable, Equatable {
    /// The running mean of the gradients.
    package var firstMoment: [Float]
    /// The running mean of the squared gradients.
    package var secondMoment: [Float]
    /// The number of steps taken.
    package var step: Int

    package init(firstMoment: [Float], secondMoment: [Float], step: Int) {
      self.firstMoment = firstMoment
      self.secondMoment = secondMoment
      self.step = step
    }
  }

  /// The trainable parameters, flat in ``layout``.
  package var currentParameters: [Float] { vector.values }

  /// The current state; can be set to resume.
  ///
  /// - Precondition: the vectors have the layout's size.
  package var state: State {
    get { vector.state }
    set { vector.state = newValue }
  }
}
