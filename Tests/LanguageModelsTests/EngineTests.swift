import Checkpoint
import LanguageModels
import SeededRandom
import Tensor
import TestSupport
import Testing

/// The engine's different paths through a model agree.
struct EngineTests {
  private func model(_ type: ElementType = .float32) throws -> LlamaModel {
    try LlamaModel(
      ModelFiles.open(Fixtures.url("logits/gqa-tied").path).weights, device: CPUDevice(computeType: type))
  }

  private func adapter(_ model: LlamaModel) -> LoRAAdapter {
    let modules = TargetModule.all(
      model.configuration, layers: model.stage.layers, targets: Set(Projection.allCases))
    var adapter = LoRAAdapter(modules: modules, rank: 6, scale: 1.5, seed: 4)
    var generator = SeededGenerator(seed: 9)
    for module in adapter.pairs.indices {
      for index in adapter.pairs[module].b.indices {
        adapter.pairs[module].b[index] = Float(generator.unit() - 0.5) * 0.2
      }
    }
    return adapter
  }

  private func logSoftmax(_ logits: [Float], _ token: Int32) -> Double {
    let top = Double(logits.max() ?? 0)
    return Double(logits[Int(token)]) - top
      - logits.reduce(0.0) { $0 + (Double($1) - top).exponential }.logarithm
  }

  @Test("many requests a pass give what each gives alone, and what plain logits give")
  func scorer() throws {
    let model = try model()
    let view = DeviceAdapter(
      adapter(model), columns: .inference([0, 2, 5]), configuration: model.configuration, device: model.device
    )
    var generator = SeededGenerator(seed: 1)
    func tokens(_ count: Int) -> [Int32] { (0..<count).map { _ in Int32(generator.below(96)) } }
    let requests = (0..<60).map { index in
      ScoreRequest(
        prompt: tokens(1 + index % 9),
        continuations: (0..<index % 4).map { tokens(1 + ($0 + index) % 3) })
    }
    let scores = try Scorer(model).score(requests, adapter: view)
    for (request, score) in zip(requests, scores) {
      #expect(score.count == request.continuations.count)
      for (continuation, values) in zip(request.continuations, score) {
        let logits = try model.allLogits(request.prompt + continuation, adapter: view)
        for (offset, token) in continuation.enumerated() {
          let expected = logSoftmax(logits[request.prompt.count - 1 + offset], token)
          #expect(abs(Double(values[offset]) - expected) < 2e-5)
        }
      }
    }
  }

  @Test("token by token with a cache gives the logits of the whole sequence")
  func generator() throws {
    let model = try model()
    let view = DeviceAdapter(
      adapter(model), columns: .inference([1, 3]), configuration: model.configuration, device: model.device)
    let tokens: [Int32] = [4, 90, 17, 17, 3, 66, 21]
    let whole = try model.allLogits(tokens, adapter: view)
    let cached = TextGenerator(model, adapter: view, capacity: 16)
    var last = try cached.feed(Array(tokens.prefix(3)))
    for (index, token) in tokens.enumerated().dropFirst(3) {
      let difference = zip(last, whole[index - 1]).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference < 1e-4)
      last = try cached.feed([token])
    }
    #expect(zip(last, whole[6]).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test(
    "memory known beforehand is nearly what is allocated, and not more", arguments: [0, 1, 2], Self.types)
  func memory(firstAdapted: Int, type: ElementType) throws {
    let source = try ModelFiles.open(Fixtures.url("logits/gqa-tied").path).weights
    let layers = 0..<source.configuration.layerCount
    let memory = ModelMemory(source.configuration, type: type, firstAdapted: firstAdapted)
    let device = CPUDevice(computeType: type, workers: 2)
    for use in [PackedUse.forward, .forwardAndBackward] {
      let model = try LlamaModel(source, device: device, use: use, firstAdapted: firstAdapted)
      let (known, taken) = (memory.weightBytes(layers: layers, use: use), Double(model.stage.weightBytes))
      #expect(known <= taken && known > 0.5 * taken, "\(known) known, \(taken) taken")
      guard use == .forwardAndBackward else { continue }
      let modules = TargetModule.all(
        model.configuration, layers: firstAdapted..<layers.upperBound, targets: [.q_proj])
      let view = DeviceAdapter(
        LoRAAdapter(modules: modules, rank: 1, scale: 1, seed: 4), columns: .inference([0]),
        configuration: model.configuration, device: device)
      let bytes = Double(GradientAccumulator(model, adapter: view, rows: 640).byteCount)
      let step = memory.trainedRowBytes * 640 * 2
      #expect(step <= bytes && step > 0.9 * bytes, "\(step) known, \(bytes) taken")
    }
  }

  private static let types: [ElementType] = [.float32, .bfloat16]

  @Test("the gradient of every trainable column agrees with central differences of the loss")
  func gradient() throws {
    let model = try model()
    let columns = ColumnView(frozen: [0, 3], trainable: [1, 4])
    let base = adapter(model)
    let sequences = [
      TokenSequence(prompt: [5, 9, 40, 2], completion: [7, 30]),
      TokenSequence(prompt: [81, 3], completion: [1, 1, 60]),
    ]
    func loss(_ adapter: LoRAAdapter) throws -> Double {
      let view = DeviceAdapter(
        adapter, columns: columns, configuration: model.configuration, device: model.device)
      return try GradientAccumulator(model, adapter: view, rows: 16).step([PackedBatch(sequences)], scale: 1)
    }
    let view = DeviceAdapter(base, columns: columns, configuration: model.configuration, device: model.device)
    let engine = GradientAccumulator(model, adapter: view, rows: 16)
    _ = try engine.step(sequences.map { PackedBatch([$0]) }, scale: 1)
    let layout = view.layout
    let operations = model.device.makeOperations(threads: 1)
    let gradient = operations.values(engine.gradients.flat)
    let values = layout.gather(base, columns: columns.trainable)
    var generator = SeededGenerator(seed: 2)
    // In float32 the difference quotient itself is accurate to about 1e-3: a step of 1e-2 balances rounding
    // (1e-5 in the loss) against curvature.
    for _ in 0..<60 {
      let index = generator.below(layout.count)
      func moved(_ by: Float) throws -> Double {
        var changed = values
        changed[index] += by
        var adapter = base
        layout.scatter(changed, into: &adapter, columns: columns.trainable)
        return try loss(adapter)
      }
      let numeric = try (moved(1e-2) - moved(-1e-2)) / 2e-2
      let analytic = Double(gradient[index]) * (index < layout.aCount ? 1 : Double(base.scale))
      #expect(abs(numeric - analytic) < 4e-3 + 0.02 * abs(analytic), "\(index): \(numeric) \(analytic)")
    }
  }
}

#if canImport(Glibc)
  import Glibc
#endif

extension Double {
  fileprivate var exponential: Double { exp(self) }
  fileprivate var logarithm: Double { log(self) }
}
