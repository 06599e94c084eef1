import Checkpoint
import Foundation
import LanguageModels
import Tensor
import TestSupport
import Testing

/// A whole model in bfloat16, emulated and native, and in float32.
struct EmulatedModelTests {
  private struct Pass {
    var loss: Double
    var gradient: [Float]
  }

  private let sequences = [
    TokenSequence(prompt: [5, 9, 40, 2, 66, 12, 8], completion: [7, 30]),
    TokenSequence(prompt: [81, 3], completion: [1, 1, 60]),
  ]

  private func pass(_ device: CPUDevice) throws -> Pass {
    let model = try LlamaModel(ModelFiles.open(Fixtures.url("logits/gqa-tied").path).weights, device: device)
    let modules = TargetModule.all(
      model.configuration, layers: model.stage.layers, targets: Set(Projection.allCases))
    var adapter = LoRAAdapter(modules: modules, rank: 4, scale: 1.5, seed: 4)
    for module in adapter.pairs.indices {
      for index in adapter.pairs[module].b.indices {
        adapter.pairs[module].b[index] = Float(index % 7 - 3) * 0.05
      }
    }
    let view = DeviceAdapter(
      adapter, columns: ColumnView(frozen: [0], trainable: [1, 3]), configuration: model.configuration,
      device: device)
    let engine = GradientAccumulator(model, adapter: view, rows: 16)
    let loss = try engine.step([PackedBatch(sequences)], scale: 1)
    let gradient = device.makeOperations(threads: 1).values(engine.gradients.flat)
    return Pass(loss: loss, gradient: gradient)
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    let error = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
    return (error / b.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
  }

  /// Emulated and native arithmetic share every rounding except those of sums near a tie, which are rare. In
  /// a model of a few small layers they are far closer to each other than either is to float32, which shares
  /// none.
  @Test(
    "loss and gradients of a training step, emulated and native",
    .enabled(if: CPUDevice.multipliesBFloat16, "needs a processor that multiplies bfloat16"))
  func trainingStep() throws {
    let native = try pass(CPUDevice(computeType: .bfloat16))
    let emulated = try pass(CPUDevice(computeType: .bfloat16, emulating: true))
    let single = try pass(CPUDevice(computeType: .float32))
    // The gradients' distance from float32 is the effect of rounding to bfloat16.
    let rounding = distance(native.gradient, single.gradient)
    #expect(rounding > 1e-4, "bfloat16 was not computed in")
    #expect(distance(emulated.gradient, native.gradient) < rounding / 10)
    #expect(abs(emulated.loss - native.loss) < 1e-4 * native.loss)
  }

  /// Except for rounding, training in bfloat16 follows float32's gradient. A relative rounding of 2⁻⁸ in each
  /// of a few dozen values that a gradient passes through adds up to a few per cent; a lost or biased term
  /// would cause tens of per cent. SmolLM2 with its 30 layers has 3 %.
  @Test("the gradient in bfloat16 points where float32's does, on every processor")
  func direction() throws {
    let single = try pass(CPUDevice(computeType: .float32))
    let rounded = try pass(CPUDevice(computeType: .bfloat16))
    let difference = distance(rounded.gradient, single.gradient)
    #expect(difference > 1e-4, "bfloat16 was not computed in")
    #expect(difference < 0.08)
    #expect(abs(rounded.loss - single.loss) < 0.01 * single.loss)
  }
}
