import Checkpoint
import LanguageModels
import SeededRandom
import Tensor
import TestSupport
import Testing

/// The shared prefix of sequences is computed once; results do not change.
struct SharedPrefixTests {
  private static let instruction: [Int32] = [4, 90, 17, 3, 66, 21, 8, 50, 2, 71]

  @Test("the common tokens stand once; targets and positions are those of the whole sequences")
  func layout() {
    let sequences = [[11, 12], [13], [11, 12, 14]].map {
      TokenSequence(prompt: Self.instruction + $0, completion: [60, 61])
    }
    let batch = PackedBatch(sequences)
    #expect(batch.tokens == Self.instruction + [11, 12, 60, 13, 60, 11, 12, 14, 60])
    let shared = [KeyRange(start: 0, count: 10)]
    #expect(
      batch.segments == [
        AttentionSegment(row: 0, count: 10),
        AttentionSegment(row: 10, count: 3, position: 10, past: shared),
        AttentionSegment(row: 13, count: 2, position: 10, past: shared),
        AttentionSegment(row: 15, count: 4, position: 10, past: shared),
      ])
    #expect(batch.sequenceTokenCount == sequences.reduce(0) { $0 + $1.tokens.count })
    #expect(batch.targets.map(\.row) == [11, 12, 13, 14, 17, 18])
    #expect(batch.targets.map(\.token) == [60, 61, 60, 61, 60, 61])
  }

  @Test("tokens that carry loss, few tokens, one sequence alone: nothing is shared")
  func notShared() {
    let short = [[1, 2, 3, 4, 5, 6, 7, 20], [1, 2, 3, 4, 5, 6, 7, 30]].map {
      TokenSequence(prompt: $0, completion: [9])
    }
    let early = TokenSequence(
      tokens: Self.instruction, targets: [-1, -1, 90, -1, -1, -1, -1, -1, -1, -1])
    for sequences in [short, [early, early], [early]] {
      let batch = PackedBatch(sequences)
      #expect(batch.tokens == sequences.flatMap(\.tokens))
      #expect(batch.sequenceTokenCount == batch.rowCount)
      #expect(batch.segments.allSatisfy { $0.past.isEmpty && $0.position == 0 })
    }
  }

  @Test("equal sequences keep the row of their first target each")
  func equalSequences() {
    let sequence = TokenSequence(prompt: Self.instruction, completion: [60, 61])
    let batch = PackedBatch([sequence, sequence])
    #expect(batch.tokens == Self.instruction.dropLast() + [71, 60, 71, 60])
    #expect(batch.targets.map(\.row) == [9, 10, 11, 12])
  }

  @Test("loss and gradient of a batch are the sums of its sequences', each alone")
  func gradient() throws {
    let model = try LlamaModel(
      ModelFiles.open(Fixtures.url("logits/gqa-tied").path).weights, device: CPUDevice(computeType: .float32))
    let modules = TargetModule.all(
      model.configuration, layers: model.stage.layers, targets: Set(Projection.allCases))
    var adapter = LoRAAdapter(modules: modules, rank: 4, scale: 1.5, seed: 4)
    var generator = SeededGenerator(seed: 9)
    for module in adapter.pairs.indices {
      for index in adapter.pairs[module].b.indices {
        adapter.pairs[module].b[index] = Float(generator.unit() - 0.5) * 0.2
      }
    }
    let view = DeviceAdapter(
      adapter, columns: ColumnView(frozen: [0], trainable: [1, 3]), configuration: model.configuration,
      device: model.device)
    let sequences = [[11, 12], [13], [11, 12, 14], [80, 81, 82, 83, 84, 85]].map {
      TokenSequence(prompt: Self.instruction + $0, completion: [60, 61, 62])
    }
    func run(_ batches: [PackedBatch]) throws -> (loss: Double, gradient: [Float]) {
      let engine = GradientAccumulator(model, adapter: view, rows: 96)
      let loss = try engine.step(batches, scale: 1)
      let gradient = model.device.makeOperations(threads: 1).values(engine.gradients.flat)
      return (loss, gradient)
    }
    let together = try run([PackedBatch(sequences)])
    let alone = try run(sequences.map { PackedBatch([$0]) })
    #expect(abs(together.loss - alone.loss) < 1e-5 * alone.loss)
    let largest = alone.gradient.map(abs).max() ?? 0
    let difference = zip(together.gradient, alone.gradient).map { abs($0 - $1) }.max() ?? .infinity
    #expect(largest > 0.01 && difference < 1e-5 * largest, "\(difference) of \(largest)")
  }

  @Test("scores of prompts with a common beginning are those of each prompt alone")
  func scores() throws {
    let model = try LlamaModel(
      ModelFiles.open(Fixtures.url("logits/gqa-tied").path).weights, device: CPUDevice(computeType: .float32))
    let requests = [[11, 12], [], [13]].map {
      ScoreRequest(prompt: Self.instruction + $0, continuations: [[60], [61, 62], [63, 64, 65]])
    }
    let batch = PackedBatch(requests)
    #expect(batch.rowCount == 9 + 3 * (1 + 3) + 3)
    let together = try Scorer(model).score(requests, adapter: nil)
    for (request, scores) in zip(requests, together) {
      let alone = try Scorer(model).score([request], adapter: nil)[0]
      for (a, b) in zip(scores.joined(), alone.joined()) { #expect(abs(a - b) < 1e-4) }
    }
  }

  @Test("a pass has more requests if their prompts begin alike, in order and without gaps")
  func passesOfLongPrefixes() {
    func request(_ prefix: Int, _ own: Int32, length: Int) -> ScoreRequest {
      ScoreRequest(
        prompt: (0..<Int32(prefix)).map { $0 } + [Int32](repeating: 1000 + own, count: length),
        continuations: [[1, 2], [3]])
    }
    func passes(prefix: Int, length: Int, count: Int) -> [Int] {
      let requests = (0..<Int32(count)).map { request(prefix, $0, length: length) }
      let passes = ScoreRequest.passes(requests)
      #expect(passes.flatMap(\.self) == Array(0..<count))
      for pass in passes where pass.count > 1 {
        #expect(PackedBatch(pass.map { requests[$0] }).rowCount <= max(256, 3 * prefix))
      }
      return passes.map(\.count)
    }
    #expect(passes(prefix: 0, length: 99, count: 5) == [2, 2, 1])
    #expect(passes(prefix: 40, length: 52, count: 9) == [4, 4, 1])
    // 300 rows are computed once for 600 of other ones.
    #expect(passes(prefix: 300, length: 99, count: 13) == [6, 6, 1])
    #expect(passes(prefix: 0, length: 600, count: 2) == [1, 1])
    #expect(ScoreRequest.passes([]).isEmpty)
    // A prompt without the prefix begins a new pass.
    let mixed = [request(300, 1, length: 9), request(300, 2, length: 9), request(0, 3, length: 240)]
    #expect(ScoreRequest.passes(mixed) == [[0, 1], [2]])
  }
}
