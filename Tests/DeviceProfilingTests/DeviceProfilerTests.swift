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

  /// Small sizes, one repetition each: nothing depends on how long it takes.
  private var quick: DeviceProfiler {
    var profiler = DeviceProfiler()
    profiler.tokens = [8, 40, 64]
    profiler.labels = [3, 16]
    profiler.sequenceLength = 32
    profiler.rank = 4
    profiler.secondsPerRound = 0
    return profiler
  }

  @Test(arguments: ["training/models/grouped", "logits/gqa-untied"], [1, 2])
  func everythingIsTimed(model: String, workers: Int) throws {
    let profiler = quick
    var announced: [DeviceProfiler.Work] = []
    let times = try profiler.measure(
      try weights(model), on: CPUDevice(computeType: .float32, workers: workers)
    ) { announced.append($0) }
    #expect(announced == profiler.work)
    #expect(times.layer.map(\.tokens) == [8, 40, 64])
    #expect(times.head.map(\.tokens) == [3, 16])
    #expect(times.embedding.map(\.tokens) == [8, 64])
    #expect(times.layer.allSatisfy { $0.forward > 0 && $0.backward > 0 })
    #expect(times.head.allSatisfy { $0.forward > 0 && $0.backward >= 0 })
    #expect(times.embedding.allSatisfy { $0.forward > 0 && $0.backward == 0 })
    #expect(times.updatePerLayer > 0)
    // What is measured is what a cluster file takes.
    let cluster = Cluster(name: "c", devices: [Device(name: "a", memory: 1, speed: .measured(times))])
    #expect(try Cluster(yaml: cluster.yaml(), file: "c.yaml") == cluster)
  }

  @Test func whatTheCallerThrowsEndsIt() throws {
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try quick.measure(try weights("training/models/grouped"), on: CPUDevice(workers: 1)) { _ in
        throw Stop()
      }
    }
  }

  @Test func timedLayersAreOfTheMiddle() {
    #expect((1...5).map(DeviceProfiler.layersToTime) == [0..<1, 1..<2, 1..<3, 1..<3, 1..<3])
    #expect(DeviceProfiler.layersToTime(of: 30) == 14..<16)
  }
}
