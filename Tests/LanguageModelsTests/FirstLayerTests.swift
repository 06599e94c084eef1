import Checkpoint
import LanguageModels
import Tensor
import TestSupport
import Testing

/// If the lower layers are not adapted, the backward pass ends above them; results do not change.
struct FirstLayerTests {
  @Test("gradients are those of an adapter whose lower layers do nothing")
  func gradient() throws {
    let model = try LlamaModel(
      ModelFiles.open(Fixtures.url("logits/gqa-tied").path).weights, device: CPUDevice(computeType: .float32))
    let layers = model.configuration.layerCount
    for first in 1..<layers {
      func adapter(_ range: Range<Int>) -> LoRAAdapter {
        let modules = TargetModule.all(
          model.configuration, layers: range, targets: Set(Projection.allCases))
        var adapter = LoRAAdapter(modules: modules, rank: 4, scale: 1.5, seed: 4)
        for (place, module) in modules.enumerated() where module.layer >= first {
          for index in adapter.pairs[place].b.indices {
            adapter.pairs[place].b[index] = Float(index % 7 - 3) * 0.05
          }
        }
        return adapter
      }
      let all = try gradients(model, adapter(0..<layers))
      let upper = try gradients(model, adapter(first..<layers))
      #expect(abs(all.loss - upper.loss) < 1e-6 * all.loss)
      for (module, values) in upper.bySite {
        let expected = try #require(all.bySite[module])
        let largest = expected.map(abs).max() ?? 0
        let difference = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(largest > 0 && difference <= 1e-5 * largest, "\(module.path): \(difference) of \(largest)")
      }
      #expect(upper.bySite.count == (layers - first) * Projection.allCases.count)
    }
  }

  private func gradients(_ model: LlamaModel, _ adapter: LoRAAdapter) throws
    -> (loss: Double, bySite: [TargetModule: [Float]])
  {
    let view = DeviceAdapter(
      adapter, columns: ColumnView(frozen: [0], trainable: [1, 3]), configuration: model.configuration,
      device: model.device)
    let batch = PackedBatch([
      TokenSequence(prompt: [5, 9, 40, 2], completion: [7, 30]),
      TokenSequence(prompt: [81, 3], completion: [1, 1, 60]),
    ])
    let engine = GradientAccumulator(model, adapter: view, rows: 16)
    let loss = try engine.step([batch], scale: 1)
    let flat = model.device.makeOperations(threads: 1).values(engine.gradients.flat)
    let layout = view.layout
    return (
      loss,
      Dictionary(
        uniqueKeysWithValues: adapter.modules.enumerated().map { place, module in
          let a = layout.aOffsets[place]
          let b = layout.bOffsets[place]
          return (
            module,
            Array(
              flat[a..<a + layout.columns * module.inputs] + flat[b..<b + layout.columns * module.outputs])
          )
        })
    )
  }
}
