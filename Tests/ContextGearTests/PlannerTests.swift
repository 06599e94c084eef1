import ContextGear
import InputErrors
import Testing

@Suite("Planner") struct PlannerTests {
  /// The lowest price over every plan of one pipeline. A price is the largest of `C_T` and `C_F`, which the
  /// simulator gives for each group by itself, and the exchange between the two groups. Only the formula of
  /// the exchange is taken from the planner's search.
  private static func bruteForce(_ cluster: Cluster, _ shape: ModelShape, _ workload: Workload) -> Double {
    let count = cluster.devices.count
    let planner = Planner(cluster, shape: shape)
    let simulator = Simulator(cluster)
    let search = PlanSearch(planner, workload)
    let group = GroupSearch(planner, workload)
    var best = Double.infinity
    for k in 1...workload.samples where workload.samples % k == 0 {
      let m = workload.samples / k
      for shared in 0...m {
        let alone = shared == m || workload.forwardOnly.isEmpty
        if workload.forwardOnly.isEmpty, shared > 0 { continue }
        for order in [Plan.Order.oneForwardOneBackward, .eager] {
          let setting = GroupSearch.Setting(microBatch: k, shared: shared, order: order)
          func least(_ trains: Bool) -> [Int: Double] {
            var least: [Int: Double] = [:]
            for devices in sequences(count) where devices.count <= shape.layers {
              for widths in compositions(shape.layers, into: devices.count) {
                var first = 0
                let stages = zip(devices, widths).map { device, width in
                  defer { first += width }
                  return Plan.Stage(device: device, layers: first..<first + width)
                }
                let plan = Plan(
                  order: order, overlap: true,
                  pipelines: [
                    Plan.Pipeline(
                      trained: trains ? stages : [], forward: trains ? [] : stages, samples: workload.samples,
                      microBatch: k, shared: shared)
                  ])
                let fits = plan.memory(cluster.devices, shape: shape, workload: workload)
                  .allSatisfy { $0.shortage <= 0 }
                guard fits else { continue }
                let schedule = planner.schedule(
                  plan, workload, steps: 3, part: trains ? .trained : .forward)
                let time = simulator.run(schedule, shape: shape, workload: workload).stepTime
                let mask = devices.reduce(0) { $0 | 1 << $1 }
                least[mask] = min(least[mask] ?? .infinity, time)
              }
            }
            return least
          }
          let trained = least(true)
          let forward = alone ? [0: 0] : least(false)
          for (t, timeT) in trained {
            for (f, timeF) in forward where t & f == 0 {
              let exchange = f == 0 ? 0 : search.exchange(setting, t, f, group)
              best = min(best, max(timeT, timeF, exchange))
            }
          }
        }
      }
    }
    return best
  }

  /// Every non-empty sequence of distinct numbers below `count`.
  private static func sequences(_ count: Int) -> [[Int]] {
    var all: [[Int]] = []
    var last: [[Int]] = [[]]
    for _ in 0..<count {
      last = last.flatMap { head in (0..<count).filter { !head.contains($0) }.map { head + [$0] } }
      all += last
    }
    return all
  }

  /// Every way to write `sum` as `parts` numbers of at least 1.
  private static func compositions(_ sum: Int, into parts: Int) -> [[Int]] {
    if parts == 1 { return sum >= 1 ? [[sum]] : [] }
    guard sum >= parts else { return [] }
    return (1...(sum - parts + 1)).flatMap { head in
      compositions(sum - head, into: parts - 1).map { [head] + $0 }
    }
  }

  @Test(arguments: 1...4, SmallCases.Wires.allCases)
  func searchFindsTheLeastPrice(devices: Int, wires: SmallCases.Wires) {
    for layers in 1...6 {
      for passes in [0, 2] {
        let cluster = SmallCases.cluster(devices, seed: UInt64(layers * 10 + passes), wires: wires)
        let shape = SmallCases.shape(layers: layers)
        let workload = SmallCases.workload(passes: passes)
        let expected = Self.bruteForce(cluster, shape, workload)
        let found = PlanSearch(Planner(cluster, shape: shape), workload).run(below: .infinity)
        #expect(found.exact)
        #expect(
          abs(found.lowerBound - expected) <= 1e-9 * expected,
          "\(devices) devices, \(layers) layers, \(passes) passes: \(found.lowerBound), not \(expected)")
      }
    }
  }

  /// The layers without a backward pass are the lowest ones, on whichever devices they are.
  @Test(arguments: 1...4, [1, 3]) func searchKnowsWhichLayersAreAdapted(devices: Int, firstAdapted: Int) {
    for layers in (firstAdapted + 1)...5 {
      for wires in SmallCases.Wires.allCases {
        var cluster = SmallCases.cluster(devices, seed: UInt64(layers), wires: wires)
        let shape = SmallCases.shape(layers: layers, firstAdapted: firstAdapted)
        let workload = SmallCases.workload()
        for memory in [1 << 40, 1_500_000] {
          cluster.devices[0].memory = memory
          let expected = Self.bruteForce(cluster, shape, workload)
          let found = PlanSearch(Planner(cluster, shape: shape), workload).run(below: .infinity)
          #expect(found.exact)
          #expect(
            expected == .infinity ? found.plan == nil : abs(found.lowerBound - expected) <= 1e-9 * expected)
        }
      }
    }
  }

  @Test(arguments: 2...4) func twinsAndLittleMemoryChangeNothing(devices: Int) {
    let shape = SmallCases.shape(layers: 4)
    let workload = SmallCases.workload()
    for wires in SmallCases.Wires.allCases {
      var cluster = SmallCases.cluster(devices, seed: 5, wires: wires, twins: true)
      // Less than the whole model with all micro-batches needs.
      cluster.devices[0].memory = 2_000_000
      let expected = Self.bruteForce(cluster, shape, workload)
      let found = PlanSearch(Planner(cluster, shape: shape), workload).run(below: .infinity)
      #expect(abs(found.lowerBound - expected) <= 1e-9 * expected)
    }
  }

  @Test func neverSlowerThanABaseline() throws {
    for seed in 1...6 as ClosedRange<UInt64> {
      for wires in SmallCases.Wires.allCases {
        let cluster = SmallCases.cluster(3, seed: seed, wires: wires)
        let planned = try Planner(cluster, shape: SmallCases.shape(layers: 6)).plan(SmallCases.workload())
        #expect(planned.baselines.count == Baseline.allCases.count)
        for baseline in planned.baselines {
          #expect(planned.stepTime <= baseline.stepTime, "\(baseline.baseline)")
        }
        #expect(planned.stepTime >= planned.lowerBound)
      }
    }
  }

  @Test func samePlanEveryTime() throws {
    let cluster = SmallCases.cluster(4, seed: 3, wires: .pairs)
    let plans = try (0..<3).map { _ in
      try Planner(cluster, shape: SmallCases.shape(layers: 6)).plan(SmallCases.workload())
    }
    #expect(plans[0] == plans[1] && plans[1] == plans[2])
  }

  @Test func saysWhichDeviceLacksHowManyBytes() throws {
    let shape = SmallCases.shape(layers: 4)
    let workload = SmallCases.workload(samples: 2)
    var cluster = SmallCases.cluster(2, seed: 1, wires: .fast)
    for index in cluster.devices.indices { cluster.devices[index].memory = 100_000 + index }
    let error = #expect(throws: Refusal.self) {
      try Planner(cluster, shape: shape).plan(workload)
    }
    let message = try #require(error)
    #expect(message.place == "device d0" || message.place == "device d1")
    // With the memory that it asks for, there is a plan.
    let missing = try #require(message.problem.firstMatch(of: /lacks (\d+) bytes/).flatMap { Int($0.1) })
    for index in cluster.devices.indices { cluster.devices[index].memory += missing }
    #expect(throws: Never.self) { try Planner(cluster, shape: shape).plan(workload) }
  }

  @Test func devicesThatAreNotJoined() throws {
    var cluster = SmallCases.cluster(2, seed: 1, wires: .fast)
    cluster.networks = []
    let planned = try Planner(cluster, shape: SmallCases.shape(layers: 4)).plan(SmallCases.workload())
    #expect(planned.devices.count == 1)
  }

  @Test func profilesOfAnotherModelAreRefused() {
    var cluster = SmallCases.cluster(2, seed: 1, wires: .fast)
    cluster.measured = Provenance(when: "2026-01-01T00:00:00Z", machine: "a", model: "1x2x3x4")
    #expect(throws: Refusal.self) {
      try Planner(cluster, shape: SmallCases.shape(layers: 4)).plan(SmallCases.workload())
    }
  }
}

@Suite("Many devices") struct ManyDevicesTests {
  @Test func replicasHaveABound() throws {
    let cluster = Cluster(
      name: "many", devices: (0..<40).compactMap { BuiltIn.device("d\($0)", kind: "orin-nano") },
      networks: [BuiltIn.network("ethernet")].compactMap { $0 })
    let planned = try Planner(cluster, shape: SmallCases.shape(layers: 6))
      .plan(SmallCases.workload(samples: 160))
    #expect(!planned.exact && planned.lowerBound > 0 && planned.stepTime >= planned.lowerBound)
    #expect(planned.plan.pipelines.reduce(0) { $0 + $1.samples } == 160)
    let schedule = Planner(cluster, shape: SmallCases.shape(layers: 6))
      .schedule(planned.plan, planned.workload, steps: 2)
    try schedule.check(planned.plan, passes: 2, layers: 6)
  }

  @Test func eightDevicesHaveAPlanAndABound() throws {
    var planner = Planner(
      SmallCases.cluster(8, seed: 4, wires: .fast), shape: SmallCases.shape(layers: 8))
    planner.effort = 1_000_000
    let planned = try planner.plan(SmallCases.workload())
    #expect(planned.gap >= 0 && planned.saving >= 0)
  }
}
