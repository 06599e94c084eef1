import ContextLoRA
import LanguageModels
import Tensor

/// The trained columns of one phase at one stage: their view, their gradient, their optimiser.
final class StageTrainer {
  let view: AdapterView
  let options: TrainingOptions
  private let optimizer: ColumnOptimizer
  private let gradients: GradientBuffer
  /// The gradient of one micro-batch.
  let microBatchGradients: GradientBuffer
  private var added = 0
  private let operations: any TensorOperations
  /// The sum of -log p of the step so far.
  var loss = 0.0

  init(_ stage: LlamaStage, adapter: LoRAAdapter, columns: ColumnView, options: TrainingOptions) {
    self.options = options
    view = AdapterView(adapter, columns: columns, configuration: stage.configuration, device: stage.device)
    optimizer = ColumnOptimizer(adapter, view: view, settings: options.adamW, device: stage.device)
    gradients = GradientBuffer(view.layout, device: stage.device)
    microBatchGradients = GradientBuffer(view.layout, device: stage.device)
    operations = stage.device.makeOperations(threads: 1)
  }

  var byteCount: Int { view.byteCount + optimizer.byteCount + 2 * gradients.flat.count * 4 }
  var layout: TrainableLayout { optimizer.layout }
  var parameters: [Float] { optimizer.currentParameters }
  var state: ColumnOptimizer.State {
    get { optimizer.state }
    set { optimizer.state = newValue }
  }

  /// Adds a micro-batch's gradient: in their order, so that the sum has the same bits as one process's.
  func addMicroBatch() {
    if added == 0 {
      operations.copy(microBatchGradients.flat, into: gradients.flat)
    } else {
      operations.add(microBatchGradients.flat, to: gradients.flat)
    }
    added += 1
  }

  // MARK: Sums over replicas

  /// Adds another replica's gradient of some consecutive adapted layers.
  func addGradients(_ values: [Float], of sites: [AdapterSite]) {
    if sites.count == layout.sites.count {
      write(values, into: microBatchGradients)
      return addMicroBatch()
    }
    var flat = [Float](repeating: 0, count: layout.count)
    layout.replace(&flat, sites: places(sites), with: values)
    write(flat, into: microBatchGradients)
    addMicroBatch()
  }

  /// The sum so far, of some consecutive adapted layers.
  func gradients(of sites: [AdapterSite]) -> [Float] {
    let all = flatGradients()
    return sites.count == layout.sites.count ? all : layout.part(all, sites: places(sites))
  }

  /// Puts the sum over all replicas in the place of this one's.
  func replaceGradients(_ values: [Float], of sites: [AdapterSite]) {
    if sites.count == layout.sites.count { return write(values, into: gradients) }
    var flat = flatGradients()
    layout.replace(&flat, sites: places(sites), with: values)
    write(flat, into: gradients)
  }

  private func flatGradients() -> [Float] {
    // A replica without samples in an epoch's last step has nothing to add.
    if added == 0 { operations.zero(gradients.flat) }
    added = max(added, 1)
    return [Float](unsafeUninitializedCapacity: layout.count) { buffer, filled in
      if let base = buffer.baseAddress { operations.read(gradients.flat, into: base) }
      filled = layout.count
    }
  }

  private func write(_ flat: [Float], into buffer: GradientBuffer) {
    flat.withUnsafeBufferPointer {
      if let base = $0.baseAddress { operations.write(base, scale: 1, into: buffer.flat) }
    }
  }

  private func places(_ sites: [AdapterSite]) -> Range<Int> {
    let first = sites.first.flatMap { layout.sites.firstIndex(of: $0) } ?? 0
    return first..<first + sites.count
  }

  /// The loss and the squared norms by adapted layer.
  var share: [Double] { [loss] + optimizer.squaredNorms(gradients) }

  func update(norm: Double, learningRate: Double) {
    optimizer.update(
      gradients, factor: options.clipFactor(norm: norm), learningRate: Float(learningRate), view: view)
    added = 0
    loss = 0
  }

  func commit(to adapter: inout LoRAAdapter) { optimizer.commit(to: &adapter) }

  /// Writes flat trainable parameters, of this or an earlier step, into an adapter of the same layers.
  func scatter(_ flat: [Float], into adapter: inout LoRAAdapter) {
    flat.withUnsafeBufferPointer {
      if let base = $0.baseAddress { layout.scatter(base, into: &adapter, columns: optimizer.columns) }
    }
  }
}
