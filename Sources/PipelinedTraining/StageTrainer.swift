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

  /// The loss and the squared norms by adapted layer.
  var share: [Double] { [loss] + optimizer.squaredNorms(gradients) }

  func update(norm: Double, learningRate: Double) {
    optimizer.update(
      gradients, factor: options.clipFactor(norm: norm), learningRate: Float(learningRate), view: view)
    added = 0
    loss = 0
  }

  func commit(to adapter: inout LoRAAdapter) { optimizer.commit(to: &adapter) }
}
