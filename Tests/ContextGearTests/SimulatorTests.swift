import ContextGear
import Testing

/// Cases small enough to be computed by hand. A layer takes 1 s forward and 2 s backward per 10 tokens;
/// activations of a sample are 10 tokens × 10 values × 1 byte = 100 bytes.
@Suite("Simulator") struct SimulatorTests {
  static let shape = ModelShape(
    layers: 2, hidden: 10, heads: 1, keyValueHeads: 1, headDimension: 10, feedForward: 10, vocabulary: 10,
    rank: 1)

  static func workload(passes: Int, samples: Int, refined: Int = 0) -> Workload {
    Workload(
      forwardOnly: (0..<passes).map { Workload.Pass(task: "p\($0)", tokens: 10, labels: 10) },
      trained: Workload.Pass(task: "t", tokens: 10, labels: 10), samples: samples, trainedColumns: 1,
      refinedColumns: refined, wireBytes: 1)
  }

  static func cluster(_ count: Int, latency: Double = 0, bandwidth: Double = 1e12, shared: Bool = false)
    -> Cluster
  {
    Cluster(
      name: "hand",
      devices: (0..<count).map {
        Device(
          name: "d\($0)", memory: 1 << 40,
          speed: .measured(
            MeasuredTimes(layer: [MeasuredTimes.Point(tokens: 10, forward: 1, backward: 2)])))
      }, networks: [Network(name: "net", shared: shared, latency: latency, bandwidth: bandwidth)])
  }

  static func run(
    _ plan: Plan, _ workload: Workload, _ cluster: Cluster, steps: Int = 1, overlaps: Bool = true
  ) -> Simulation {
    var simulator = Simulator(cluster)
    simulator.overlapsTransfers = overlaps
    let schedule = Planner(cluster, shape: shape).schedule(plan, workload, steps: steps)
    return simulator.run(schedule, shape: shape, workload: workload, detailed: true)
  }

  static func plan(
    _ order: Plan.Order, trained: [Range<Int>], forward: [Range<Int>] = [], samples: Int, shared: Int = 0,
    overlap: Bool = true
  ) -> Plan {
    Plan(
      order: order, overlap: overlap,
      pipelines: [
        Plan.Pipeline(
          trained: trained.enumerated().map { Plan.Stage(device: $0, layers: $1) },
          forward: forward.enumerated().map { Plan.Stage(device: trained.count + $0, layers: $1) },
          samples: samples, microBatch: 1, shared: shared)
      ])
  }

  /// Seconds per step of one device with measured columns. A layer of 10 tokens with one trained column takes
  /// 1 + 2 s. Each additional frozen column takes 0.1 s forward and 0.2 s backward, each additional trained
  /// one 0.1 and 0.4 s.
  private func step(columns: Workload.Columns?, merges: Bool = false, saves: Saving? = nil) -> Double {
    func points(_ forward: Double, _ backward: Double) -> [MeasuredTimes.Point] {
      [MeasuredTimes.Point(tokens: 10, forward: forward, backward: backward)]
    }
    let times = MeasuredTimes(
      layer: points(1, 2), updatePerLayer: 0.5, rank: 1,
      columns: [
        ColumnTimes(trained: 1, frozen: 5, layer: points(1.5, 3)),
        ColumnTimes(trained: 6, frozen: 0, layer: points(1.5, 4)),
      ], lastLayerSaves: saves, mergesFrozen: merges)
    let cluster = Cluster(
      name: "hand", devices: [Device(name: "d", memory: 1 << 40, speed: .measured(times))])
    var workload = Self.workload(passes: 0, samples: 1)
    workload.trained.columns = columns
    workload.trainedColumns = columns?.trained ?? 1
    if saves != nil { workload.trained.labels = 0 }
    return Self.run(Self.plan(.oneForwardOneBackward, trained: [0..<2], samples: 1), workload, cluster)
      .makespan
  }

  @Test func columnsCostWhatWasMeasured() {
    func columns(_ trained: Int, _ frozen: Int, mayMerge: Bool = true) -> Workload.Columns {
      Workload.Columns(trained: trained, frozen: frozen, mayMerge: mayMerge)
    }
    func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-9 }
    #expect(isClose(step(columns: nil), 2 * 3.5))
    #expect(isClose(step(columns: columns(1, 0)), 2 * 3.5))
    #expect(isClose(step(columns: columns(1, 2)), 2 * (3.5 + 2 * 0.3)))
    #expect(isClose(step(columns: columns(3, 0)), 2 * (3 + 2 * 0.5 + 3 * 0.5)))
    #expect(isClose(step(columns: columns(3, 2)), 2 * (3 + 2 * 0.5 + 2 * 0.3 + 3 * 0.5)))
    // Merged frozen columns cost nothing; if other passes compute with them, they are not merged.
    #expect(isClose(step(columns: columns(1, 2), merges: true), 2 * 3.5))
    #expect(isClose(step(columns: columns(1, 2, mayMerge: false), merges: true), 2 * (3.5 + 2 * 0.3)))
  }

  @Test func theLastLayerSavesWhatWasMeasured() {
    // Without a label, the last layer has no row left after attention.
    #expect(abs(step(columns: nil, saves: Saving(forward: 0.5, backward: 0.25)) - (7 - 0.5 - 0.5)) < 1e-9)
  }

  @Test func replicasPayForTheirSums() {
    // Two replicas of one device each, with one micro-batch each; the network takes almost no time.
    var cluster = Self.cluster(2)
    let workload = Self.workload(passes: 0, samples: 2)
    let plan = Plan(
      order: .gpipe, overlap: true,
      pipelines: (0..<2).map {
        Plan.Pipeline(
          trained: [Plan.Stage(device: $0, layers: 0..<2)], forward: [], samples: 1, microBatch: 1, shared: 0)
      })
    let without = Self.run(plan, workload, cluster, steps: 4).stepTime
    for index in cluster.devices.indices {
      guard case .measured(var times) = cluster.devices[index].speed else { continue }
      (times.sumPerLayer, times.rank) = (SumTimes(copy: 0.25, add: 2), workload.trainedColumns)
      cluster.devices[index].speed = .measured(times)
    }
    // For each of two layers, the gradients are copied and added on the way up, then the sum is copied twice.
    #expect(
      abs(Self.run(plan, workload, cluster, steps: 4).stepTime - without - 2 * (0.25 + 2 + 2 * 0.25)) < 0.1)
  }

  @Test func devicesOfOneMachineSlowEachOther() {
    var cluster = Self.cluster(3)
    for index in cluster.devices.indices {
      cluster.devices[index].machine = 7
      guard case .measured(var times) = cluster.devices[index].speed else { continue }
      times.contention = Contention(factor: 2, others: 2)
      cluster.devices[index].speed = .measured(times)
    }
    func seconds(_ trained: [Range<Int>]) -> Double {
      Self.run(
        Self.plan(.gpipe, trained: trained, samples: 1), Self.workload(passes: 0, samples: 1), cluster
      ).stepTime
    }
    // One alone: 2 · (1 + 2) s. Two of three, one after the other: half of the contention of 2 in addition.
    #expect(Self.close(seconds([0..<2]), 6))
    #expect(Self.close(seconds([0..<1, 1..<2]), 9))
    for index in cluster.devices.indices {
      guard case .measured(var times) = cluster.devices[index].speed else { continue }
      times.contention = Contention(factor: 2, others: 1)
      cluster.devices[index].speed = .measured(times)
    }
    #expect(Self.close(seconds([0..<1, 1..<2]), 12))
    // A layer of 10 tokens is halfway between the timed sizes: three times as long.
    for index in cluster.devices.indices {
      guard case .measured(var times) = cluster.devices[index].speed else { continue }
      times.contention?.layer = [.init(tokens: 5, factor: 4), .init(tokens: 15, factor: 2)]
      cluster.devices[index].speed = .measured(times)
    }
    #expect(Self.close(seconds([0..<1, 1..<2]), 18))
  }

  private static func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-6 }

  @Test func oneDevice() {
    // Three samples through two layers: 3 · 2 · (1 + 2) = 18 s a step.
    let result = Self.run(
      Self.plan(.oneForwardOneBackward, trained: [0..<2], samples: 3), Self.workload(passes: 0, samples: 3),
      Self.cluster(1), steps: 4)
    #expect(Self.close(result.stepTime, 18) && Self.close(result.makespan, 72))
    #expect(result.traffic.isEmpty)
  }

  @Test(arguments: [Plan.Order.gpipe, .oneForwardOneBackward])
  func twoStagesFillAndDrain(order: Plan.Order) {
    // A stage takes f = 1, b = 2; m = 4 micro-batches: (m + S - 1)(f + b) = 5 · 3 = 15 s.
    let result = Self.run(
      Self.plan(order, trained: [0..<1, 1..<2], samples: 4), Self.workload(passes: 0, samples: 4),
      Self.cluster(2))
    #expect(Self.close(result.makespan, 15))
    #expect(result.busy.allSatisfy { Self.close($0, 12) })
  }

  @Test func latencyAndBandwidth() {
    // One micro-batch over two stages: 1 s, 100 B at 50 B/s and 0.5 s, 1 + 2 s, the same back, 2 s. Then the
    // norms of seven matrices and the loss, 64 B, from the second stage, which finished 2.5 + 2 s before the
    // first; the first one's answer of 16 B travels 0.32 + 0.5 s longer.
    let result = Self.run(
      Self.plan(.oneForwardOneBackward, trained: [0..<1, 1..<2], samples: 1),
      Self.workload(passes: 0, samples: 1), Self.cluster(2, latency: 0.5, bandwidth: 50))
    #expect(Self.close(result.ends[0], 1 + 2.5 + 3 + 2.5 + 2))
    #expect(Self.close(result.makespan, 11 + 0.82))
    #expect(result.traffic.map { [$0.from, $0.to, $0.bytes] } == [[0, 1, 116], [1, 0, 164]])
  }

  @Test func aSharedNetworkCarriesOneMessageAtATime() {
    // Two micro-batches, f = 1, b = 2, a message takes 2 s. On a switch both directions run at once. On a
    // shared network the second activation (handed over at 2) waits for the first (1 to 3); the first
    // gradient, handed over at 6, need not wait, since the second activation arrived at 5.
    let plan = Self.plan(.gpipe, trained: [0..<1, 1..<2], samples: 2)
    let work = Self.workload(passes: 0, samples: 2)
    let switched = Self.run(plan, work, Self.cluster(2, bandwidth: 50))
    // Forward 0 from 1 to 2, sent 1 to 3; forward 1 at stage 1 from 5 to 6; backwards 6 to 8, 8 to 10;
    // gradients 8 to 10, 10 to 12; backwards at stage 0 10 to 12, 12 to 14.
    #expect(Self.close(switched.ends[0], 14))
    // 1F1B: backward 0 at stage 1 from 4 to 6, its gradient 6 to 8; forward 1 from 6 to 7, backward 1 to 9.
    let eager = Self.plan(.oneForwardOneBackward, trained: [0..<1, 1..<2], samples: 2)
    #expect(Self.close(Self.run(eager, work, Self.cluster(2, bandwidth: 50)).ends[0], 13))
    #expect(Self.close(Self.run(eager, work, Self.cluster(2, bandwidth: 50, shared: true)).ends[0], 13))
    // With messages of 4 s, the second activation is on the shared network from 5 to 9 and delays the first
    // gradient, handed over at 8, which arrives at 13 instead of 12.
    let (own, one) = (
      Self.run(eager, work, Self.cluster(2, bandwidth: 25)),
      Self.run(eager, work, Self.cluster(2, bandwidth: 25, shared: true))
    )
    #expect(Self.close(own.spans.first { $0.operation == 5 || $0.start == 12 }?.start ?? 0, 12))
    #expect(
      one.spans.contains { Self.close($0.start, 13) } && !one.spans.contains { Self.close($0.start, 12) })
  }

  @Test func transfersThatDoNotOverlap() {
    // The sender waits 2 s after its first forward before it starts the second.
    let plan = Self.plan(.gpipe, trained: [0..<1, 1..<2], samples: 2)
    let result = Self.run(
      plan, Self.workload(passes: 0, samples: 2), Self.cluster(2, bandwidth: 50), overlaps: false)
    let starts = result.spans.map(\.start).sorted()
    #expect(Self.close(starts[0], 0) && Self.close(starts[1], 3) && Self.close(starts[2], 3))
  }

  @Test func forwardOnlyWorkBesideTraining() {
    // D_t takes 2 · 2 · 3 = 12 s per step, D_f 2 samples · 2 layers · 2 passes = 8 s, ahead of it: C = C_T.
    let plan = Self.plan(.oneForwardOneBackward, trained: [0..<2], forward: [0..<2], samples: 2)
    let work = Self.workload(passes: 2, samples: 2)
    #expect(Self.close(Self.run(plan, work, Self.cluster(2), steps: 4).stepTime, 12))
    // With four passes D_f takes 16 s, and C = C_F.
    let more = Self.workload(passes: 4, samples: 2)
    #expect(Self.close(Self.run(plan, more, Self.cluster(2), steps: 4).stepTime, 16))
    // A share of one half: D_t 12 + 8, D_f 8.
    let shared = Self.plan(.oneForwardOneBackward, trained: [0..<2], forward: [0..<2], samples: 2, shared: 1)
    #expect(Self.close(Self.run(shared, more, Self.cluster(2), steps: 4).stepTime, 20))
  }

  @Test func refinedColumnsAreAwaited() {
    // Columns: 2 layers · 1 · (2 · 20 + 2 · 20 + 3 · 20) · 4 B = 1120 B, at 80 B/s 14 s. With staleness 1,
    // two steps contain 14 s for the columns, 2 s for one sample's pass, 0.025 s for its answer's 2 B, then
    // 12 s for D_t.
    let plan = Self.plan(.oneForwardOneBackward, trained: [0..<2], forward: [0..<2], samples: 2)
    let result = Self.run(
      plan, Self.workload(passes: 1, samples: 2, refined: 1), Self.cluster(2, bandwidth: 80), steps: 8)
    #expect(result.stepTime >= (14 + 2 + 0.025 + 12) / 2 - 1e-6)
    #expect(result.stepTime <= (14 + 4 + 0.05 + 12) / 2 + 1e-6)
  }

  @Test func interpolation() {
    let points = [(10, 1.0), (20, 1.5), (40, 3.5)].map {
      MeasuredTimes.Point(tokens: $0, forward: $1, backward: 2 * $1)
    }
    let device = Device(
      name: "d", memory: 1 << 40, speed: .measured(MeasuredTimes(layer: points)))
    func step(_ tokens: Double) -> Double {
      var work = Self.workload(passes: 0, samples: 1)
      (work.trained.tokens, work.trained.labels) = (tokens, tokens)
      let cluster = Cluster(name: "one", devices: [device])
      return Self.run(
        Self.plan(.oneForwardOneBackward, trained: [0..<2], samples: 1), work, cluster
      ).makespan / 6
    }
    // Between points, beyond the last, and below the first (extrapolated, but not below its proportional
    // share).
    for (tokens, seconds) in [(10, 1.0), (15, 1.25), (30, 2.5), (50, 4.5), (4, 0.7), (1, 0.55)] {
      #expect(Self.close(step(Double(tokens)), seconds), "\(tokens)")
    }
  }

  /// One of ten rows is labelled: the part after attention is computed only for that row.
  @Test func theLastLayerComputesTheLabelledRowsOnly() {
    var work = Self.workload(passes: 1, samples: 1)
    work.trained.labels = 1
    let shape = Self.shape
    let share = Double(shape.hidden * (10 + 3 * shape.feedForward)) / Double(shape.layerParameters)
    let result = Self.run(
      Self.plan(.oneForwardOneBackward, trained: [0..<2], samples: 1, shared: 1), work, Self.cluster(1))
    // The forward-only pass with every row labelled, then forward and backward less the saving.
    #expect(Self.close(result.makespan, 2 + 6 - share * 0.9 * 3))
  }

  @Test func manyDevicesAndManyEvents() {
    let count = 2_000
    let cluster = Self.cluster(count, bandwidth: 1e9)
    let pipelines = (0..<count / 2).map { index in
      Plan.Pipeline(
        trained: [
          Plan.Stage(device: 2 * index, layers: 0..<1), Plan.Stage(device: 2 * index + 1, layers: 1..<2),
        ], forward: [], samples: 4, microBatch: 1, shared: 0)
    }
    let plan = Plan(order: .oneForwardOneBackward, overlap: true, pipelines: pipelines)
    let result = Self.run(plan, Self.workload(passes: 0, samples: 4 * count / 2), cluster, steps: 3)
    // Each step takes at least the 15 s of one pipeline, and sums go up and down a tree of ten levels.
    #expect(result.stepTime >= 15 && result.stepTime < 15.1)
  }
}
