import Checkpoint
import LanguageModels
import Tensor
import TestSupport
import Testing

/// The model's last block computes only the rows from which a token is predicted; results do not change.
struct OutputRowsTests {
  @Test(
    "loss and gradients are those of a pass that computes all rows",
    arguments: [ElementType.float32, .bfloat16])
  func gradient(type: ElementType) throws {
    let stage = try LlamaModel(
      ModelFiles.open(Fixtures.url("logits/gqa-tied").path).weights, device: CPUDevice(computeType: type)
    ).stage
    let modules = TargetModule.all(
      stage.configuration, layers: stage.layers, targets: Set(Projection.allCases))
    var adapter = LoRAAdapter(modules: modules, rank: 4, scale: 1.5, seed: 4)
    for module in adapter.pairs.indices {
      for index in adapter.pairs[module].b.indices {
        adapter.pairs[module].b[index] = Float(index % 7 - 3) * 0.05
      }
    }
    let view = DeviceAdapter(
      adapter, columns: ColumnView(frozen: [0], trainable: [1, 3]), configuration: stage.configuration,
      device: stage.device)
    let batch = PackedBatch([
      TokenSequence(prompt: [5, 9, 40, 2, 66, 12, 8], completion: [7, 30]),
      TokenSequence(prompt: [81, 3], completion: [1, 1, 60]),
    ])
    #expect(batch.targetRows == [6, 7, 9, 10, 11])
    let all = try run(stage, view, batch, outputRows: nil)
    let few = try run(stage, view, batch, outputRows: batch.targetRows)
    #expect(abs(all.loss - few.loss) < 1e-5 * all.loss)
    let largest = all.gradient.map(abs).max() ?? 0
    let difference = zip(all.gradient, few.gradient).map { abs($0 - $1) }.max() ?? .infinity
    let tolerance: Float = type == .float32 ? 1e-5 : 1e-2
    #expect(largest > 0.01 && difference < tolerance * largest, "\(difference) of \(largest)")
  }

  private func run(_ stage: LlamaStage, _ view: DeviceAdapter, _ batch: PackedBatch, outputRows: [Int]?)
    throws
    -> (loss: Double, gradient: [Float])
  {
    let worker = StageWorker(stage, rows: batch.rowCount, adapter: view)
    let activations = StageActivations(stage, rows: batch.rowCount, adapter: view)
    let gradients = GradientBuffer(view.layout, device: stage.device)
    try stage.embed(batch.tokens, into: activations.hidden, worker.operations)
    stage.forward(batch, activations, outputRows: outputRows, adapter: view, worker)
    let loss = stage.loss(batch, activations, scale: 1, worker)
    stage.backward(
      batch, activations, outputRows: outputRows, adapter: view, gradients: gradients, worker)
    let values = worker.operations.values(gradients.flat)
    return (loss, values)
  }
}
