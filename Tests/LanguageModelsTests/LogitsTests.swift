import Checkpoint
import Foundation
import LanguageModels
import Tensor
import TestSupport
import Testing

/// Compares logits with the transformers library (see the manifests next to the fixtures).
struct LogitsTests {
  static let tinyModels = [
    "gqa-tied", "gqa-untied", "mha-tied", "mqa-wide-head", "sharded", "rope-llama3", "rope-llama3-legacy",
    "rope-500000", "stored-bfloat16", "stored-float16",
  ]

  private struct Sequences: Decodable { let sequences: [[Int32]] }

  @Test("tiny random models in float32: every logit within 1e-4", arguments: tinyModels)
  func tinyModel(name: String) throws {
    let folder = Fixtures.url("logits/\(name)")
    let files = try ModelFiles.open(folder.path)
    let model = try LlamaModel(files.weights, device: CPUDevice(computeType: .float32))
    let sequences = try JSONDecoder().decode(
      Sequences.self, from: Data(contentsOf: folder.appendingPathComponent("sequences.json"))
    ).sequences
    let expected = try SafetensorsFile(folder.appendingPathComponent("expected.safetensors"))
    for (index, tokens) in sequences.enumerated() {
      let logits = try model.allLogits(tokens).joined()
      let reference = try expected.float32("logits.\(index)")
      #expect(logits.count == reference.count)
      let difference = zip(logits, reference).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference < 1e-4, "\(name), sequence \(index): \(difference)")
    }
  }

  @Test("a model cut into stages computes the same bits", arguments: [[1], [2], [1, 2]])
  func stages(cuts: [Int]) throws {
    let files = try ModelFiles.open(Fixtures.url("logits/gqa-tied").path)
    let device = CPUDevice(computeType: .float32)
    let whole = try LlamaModel(files.weights, device: device).stage
    let tokens: [Int32] = [83, 48, 52, 70, 43, 29, 66]
    let batch = PackedBatch([TokenSequence(prompt: tokens, completion: [5, 9])])
    let bounds = [0] + cuts + [files.weights.configuration.layerCount]
    let stages = try zip(bounds, bounds.dropFirst()).map {
      try LlamaStage(files.weights, layers: $0..<$1, device: device)
    }
    func run(_ stages: [LlamaStage]) throws -> [Float] {
      var previous: StageActivations?
      var result: [Float] = []
      for stage in stages {
        let worker = StageWorker(stage, rows: batch.rowCount, adapter: nil)
        let activations = StageActivations(stage, rows: batch.rowCount, adapter: nil)
        if let previous {
          device.makeOperations(threads: 1).copy(previous.hidden, into: activations.hidden)
        } else {
          try stage.embed(
            batch.tokens, into: activations.hidden, device.makeOperations(threads: 1))
        }
        stage.forward(batch, activations, adapter: nil, worker)
        if stage.isLast { result = stage.logProbabilities(batch.targets, hidden: activations.hidden, worker) }
        previous = activations
      }
      return result
    }
    #expect(try run(stages) == run([whole]))
  }
}
