import ContextLoRA
import LanguageModels
import Tensor
import Testing
import TrainingFixtures

/// Merging frozen columns into the base weights does not change results, and is fully undone.
struct MergedColumnsTests {
  @Test("losses, norms and parameters are the same as without merging")
  func sameNumbers() throws {
    let apart = try train(merges: false)
    let merged = try train(merges: true)
    #expect(apart.losses.count == merged.losses.count)
    for (a, b) in zip(apart.losses, merged.losses) { #expect(abs(a - b) < 1e-5 * a) }
    for (a, b) in zip(apart.norms, merged.norms) { #expect(abs(a - b) < 1e-4 * a) }
    #expect(merged.bytes < apart.bytes, "merged columns are not computed beside the weights")
    for (a, b) in zip(apart.parameters, merged.parameters) { #expect(abs(a - b) < 1e-4) }
  }

  @Test("afterwards the base weights are restored bit for bit")
  func restores() throws {
    let tiny = try TinyWorkflow(frozenRatio: 1)
    let tokens: [Int32] = [3, 9, 27, 4]
    let before = try tiny.model.allLogits(tokens)
    struct Stopped: Error {}
    for fails in [false, true] {
      _ = try? tiny.model.stage.withMerged(
        ColumnView(frozen: [0, 1], trainable: [2]), of: tiny.adapterWithValues
      ) { computed in
        #expect(computed == ColumnView(frozen: [], trainable: [2]))
        #expect(try tiny.model.allLogits(tokens) != before)
        if fails { throw Stopped() }
      }
      #expect(try tiny.model.allLogits(tokens) == before)
    }
    let trainer = tiny.trainer()
    _ = try trainer.run(to: nil) { _ in }
    #expect(try tiny.model.allLogits(tokens) == before)
  }

  private struct Outcome {
    var losses: [Double] = []
    var norms: [Double] = []
    var parameters: [Float] = []
    var bytes = 0
  }

  private func train(merges: Bool) throws -> Outcome {
    let tiny = try TinyWorkflow(frozenRatio: 1)
    let columns = ColumnView(frozen: [0, 1, 2], trainable: [3, 4])
    var outcome = Outcome()
    try tiny.model.stage.withMerged(columns, of: tiny.adapterWithValues, if: merges) { computed in
      let trainer = PhaseTrainer(
        tiny.model, adapter: tiny.adapterWithValues, columns: columns, options: tiny.options, rows: 64,
        computed: computed)
      for step in 0..<4 {
        let sequences = (step..<step + 4).map { tiny.sequence("b", sample: $0, parentAnswers: nil) }
        let result = try trainer.step(sequences, learningRate: 5e-3)
        outcome.losses.append(result.loss)
        outcome.norms.append(result.gradientNorm)
      }
      (outcome.parameters, outcome.bytes) = (trainer.parameters, trainer.byteCount)
    }
    return outcome
  }
}

extension TinyWorkflow {
  /// The adapter with nonzero B, so that its columns have an effect.
  var adapterWithValues: LoRAAdapter {
    var adapter = adapter
    for module in adapter.pairs.indices {
      for index in adapter.pairs[module].b.indices {
        adapter.pairs[module].b[index] = Float(index % 5 - 2) * 0.03
      }
    }
    return adapter
  }
}
