import ContextLoRA
import LanguageModels
import Tensor

/// The trained columns of one phase at one stage, with their view, gradient and optimiser.
final class StageTrainer {
  let view: DeviceAdapter
  let options: TrainingOptions
  private let optimizer: ColumnOptimizer
  private let gradients: GradientBuffer
  /// The gradient of one micro-batch.
  let microBatchGradients: GradientBuffer
  private var added = 0
  private let operations: any TensorOperations
  /// The sum of -log p of the step so far.
  var loss = 0.0
  /// All trained columns before the last steps, for checkpoints.
  var history: [[Float]] = []
  private let historyLimit: Int
  /// The trained columns of the phase's best validated state.
  var best: [Float]?

  /// - Parameter historyLimit: the number of steps to keep columns of.
  init(
    _ stage: LlamaStage, adapter: LoRAAdapter, columns: ColumnView, options: TrainingOptions,
    historyLimit: Int
  ) {
    (self.options, self.historyLimit) = (options, historyLimit)
    view = DeviceAdapter(adapter, columns: columns, configuration: stage.configuration, device: stage.device)
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

  /// Adds a micro-batch's gradient. Adding in the order of the micro-batches makes the sum bit-identical to
  /// that of a single process.
  func addMicroBatch() {
    if added == 0 {
      operations.copy(microBatchGradients.flat, into: gradients.flat)
    } else {
      operations.add(microBatchGradients.flat, to: gradients.flat)
    }
    added += 1
  }

  // MARK: Sums over replicas

  /// Adds another replica's gradient of consecutive adapted layers.
  func addGradients(_ values: UnsafePointer<Float>, of modules: [TargetModule]) {
    let range = places(modules)
    microBatchGradients.write(values, range, operations)
    haveSum()
    gradients.add(microBatchGradients, range, operations)
  }

  /// Copies out the sum so far for consecutive adapted layers.
  func readGradients(of modules: [TargetModule], into values: UnsafeMutablePointer<Float>) {
    haveSum()
    gradients.read(places(modules), into: values, operations)
  }

  /// Replaces this replica's gradient with the sum over all replicas.
  func replaceGradients(_ values: UnsafePointer<Float>, of modules: [TargetModule]) {
    gradients.write(values, places(modules), operations)
  }

  /// Sets the sum to zero if this replica had no samples in an epoch's last step.
  private func haveSum() {
    if added == 0 { operations.zero(gradients.flat) }
    added = max(added, 1)
  }

  private func places(_ modules: [TargetModule]) -> Range<Int> {
    let first = modules.first.flatMap { layout.modules.firstIndex(of: $0) } ?? 0
    return first..<first + modules.count
  }

  /// The loss, then the squared norms by adapted layer.
  var share: [Double] { [loss] + optimizer.squaredNorms(gradients) }

  func update(norm: Double, learningRate: Double) {
    if historyLimit > 0 { history = (history + [parameters]).suffix(historyLimit) }
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
