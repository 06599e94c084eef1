import Checkpoint
import ContextGear
import DeviceProfiling
import Tensor
import TestSupport
import Testing

@Suite struct DeviceProfilerTests {
  private func weights(_ model: String) throws -> any WeightSource {
    try ModelFiles.open(Fixtures.url(model).path).weights
  }

  /// Small sizes, one repetition each: nothing depends on the times.
  private var quick: DeviceProfiler {
    var profiler = DeviceProfiler()
    profiler.tokens = [8, 40, 64]
    profiler.columnTokens = [8, 64]
    profiler.labels = [3, 16]
    profiler.sequenceLength = 32
    profiler.rank = 4
    profiler.secondsPerRound = 0
    return profiler
  }

  @Test(arguments: ["training/models/grouped", "logits/gqa-untied"], [1, 2])
  func everythingIsTimed(model: String, workers: Int) throws {
    let profiler = quick
    var (announced, turns) = ([DeviceProfiler.Work](), 0)
    let times = try profiler.measure(
      try weights(model), on: CPUDevice(computeType: .float32, workers: workers),
      before: { announced.append($0) }, others: 1,
      inTurn: { body in
        turns += 1
        return try body()
      })
    // The layers' work in rounds, then that of the end of the model.
    let (layers, end) = (profiler.work.dropLast(3), profiler.work.suffix(3))
    #expect(announced == (0..<3).flatMap { _ in layers } + (0..<3).flatMap { _ in end })
    // Each is also timed alone, when it is this device's turn.
    #expect(turns == announced.count)
    let contention = try #require(times.contention)
    #expect(contention.others == 1 && contention.factor >= 1)
    #expect(contention.layer.map(\.tokens) == [8, 40, 64] && contention.head.map(\.tokens) == [3, 16])
    #expect((contention.layer + contention.head).allSatisfy { $0.factor >= 1 })
    #expect((contention.update ?? 0) >= 1 && (contention.sum ?? 0) >= 1)
    #expect(times.layer.map(\.tokens) == [8, 40, 64])
    #expect(times.head.map(\.tokens) == [3, 16])
    #expect(times.embedding.map(\.tokens) == [8, 64])
    #expect(times.layer.allSatisfy { $0.forward > 0 && $0.backward > 0 })
    #expect(times.head.allSatisfy { $0.forward > 0 && $0.backward >= 0 })
    #expect(times.embedding.allSatisfy { $0.forward > 0 && $0.backward == 0 })
    #expect(times.updatePerLayer > 0)
    let sum = try #require(times.sumPerLayer)
    #expect(sum.copy > 0 && sum.add > 0)
    // With additional frozen columns, and with more trained ones.
    #expect(times.rank == 4 && times.columns.map { [$0.trained, $0.frozen] } == [[4, 12], [16, 0]])
    #expect(times.columns.allSatisfy { $0.layer.map(\.tokens) == [8, 64] })
    #expect(times.columns.flatMap(\.layer).allSatisfy { $0.forward > 0 && $0.backward > 0 })
    #expect(times.mergesFrozen)
    let saves = try #require(times.lastLayerSaves)
    #expect((0...1).contains(saves.forward) && (0...1).contains(saves.backward))
    // A cluster file accepts the measurement.
    let cluster = Cluster(name: "c", devices: [Device(name: "a", memory: 1, speed: .measured(times))])
    let read = try Cluster(yaml: cluster.yaml(), file: "c.yaml")
    // The file has 16 digits of a time: a value that was read is written unchanged.
    #expect(try Cluster(yaml: read.yaml(), file: "c.yaml") == read)
    guard case .measured(let again) = read.devices[0].speed else {
      Issue.record("\(read.devices[0]) was not measured")
      return
    }
    #expect(again.layer.map(\.tokens) == times.layer.map(\.tokens) && again.rank == times.rank)
    #expect(abs((again.sumPerLayer?.add ?? 0) / sum.add - 1) < 1e-9)
    #expect(again.columns.map(\.frozen) == times.columns.map(\.frozen) && again.mergesFrozen)
  }

  @Test func whatTheCallerThrowsEndsIt() throws {
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try quick.measure(try weights("training/models/grouped"), on: CPUDevice(workers: 1)) { _ in
        throw Stop()
      }
    }
  }

  @Test func somethingIsDoneBeforeEachPass() throws {
    struct Stop: Error {}
    var profiler = quick
    profiler.between = { throw Stop() }
    #expect(throws: Stop.self) {
      try profiler.measure(try weights("training/models/grouped"), on: CPUDevice(workers: 1))
    }
  }

  @Test func timedLayersAreOfTheMiddleAndMoreThanCachesHold() throws {
    var configuration = try weights("training/models/grouped").configuration
    func layers(_ count: Int) -> Range<Int> {
      configuration.layerCount = count
      return DeviceProfiler.layersToTime(of: configuration)
    }
    // Tiny layers: eight, or all if there are fewer.
    #expect([1, 2, 5, 8, 9, 30].map(layers) == [0..<1, 0..<2, 0..<5, 0..<8, 0..<8, 11..<19])
    // 3.5 million weights per layer: seven layers. 200 million: two.
    (configuration.hiddenSize, configuration.intermediateSize) = (576, 1536)
    (configuration.headCount, configuration.keyValueHeadCount, configuration.headDimension) = (9, 3, 64)
    #expect(layers(30) == 11..<18)
    (configuration.hiddenSize, configuration.intermediateSize) = (4096, 14336)
    #expect(layers(30) == 14..<16)
  }
}
