import ContextGear
import Foundation
import Testing

@Suite("Schedules") struct ScheduleTests {
  private static func pipelines(
    trained: Int, forward: Int, layers: Int, samples: Int, k: Int, shared: Int, device: Int = 0
  ) -> Plan.Pipeline {
    func stages(_ count: Int, from device: Int) -> [Plan.Stage] {
      (0..<count).map {
        Plan.Stage(device: device + $0, layers: layers * $0 / count..<layers * ($0 + 1) / count)
      }
    }
    return Plan.Pipeline(
      trained: stages(trained, from: device), forward: stages(forward, from: device + trained),
      samples: samples, microBatch: k, shared: shared)
  }

  /// Every number of stages of both groups, order, share, overlap, staleness and number of passes.
  @Test(arguments: 1...4, 0...3)
  func everySmallScheduleRuns(trained: Int, forward: Int) throws {
    let shape = SmallCases.shape(layers: 4)
    for order in Plan.Order.allCases {
      for passes in 0...3 where passes > 0 || forward == 0 {
        for (k, staleness, overlap) in [(1, 1, true), (2, 0, true), (4, 1, false), (1, 2, true)] {
          let m = 4 / k
          for shared in forward == 0 ? (passes == 0 ? 0...0 : m...m) : 0...(m - 1) {
            var workload = SmallCases.workload(passes: passes)
            workload.staleness = staleness
            let plan = Plan(
              order: order, overlap: overlap,
              pipelines: [
                Self.pipelines(
                  trained: trained, forward: forward, layers: 4, samples: 4, k: k, shared: shared)
              ])
            let schedule = Schedule(plan, workload: workload, shape: shape, deviceCount: 8, steps: 4)
            try schedule.check(plan, passes: passes, layers: 4)
          }
        }
      }
    }
  }

  @Test(arguments: 1...7) func replicasRun(count: Int) throws {
    let shape = SmallCases.shape(layers: 4)
    // Different cuts in each replica.
    let pipelines = (0..<count).map { index in
      Self.pipelines(
        trained: 1 + index % 3, forward: index % 2, layers: 4, samples: 4, k: 2,
        shared: index % 2 == 0 ? 2 : 1, device: index * 4)
    }
    let plan = Plan(order: .oneForwardOneBackward, overlap: true, pipelines: pipelines)
    let schedule = Schedule(
      plan, workload: SmallCases.workload(), shape: shape, deviceCount: 4 * count, steps: 3)
    try schedule.check(plan, passes: 2, layers: 4)
  }

  private static func simple() -> (Plan, Schedule) {
    let plan = Plan(
      order: .oneForwardOneBackward, overlap: true,
      pipelines: [pipelines(trained: 2, forward: 1, layers: 4, samples: 2, k: 1, shared: 1)])
    let schedule = Schedule(
      plan, workload: SmallCases.workload(passes: 1), shape: SmallCases.shape(layers: 4), deviceCount: 3,
      steps: 2)
    return (plan, schedule)
  }

  @Test func theCheckFindsFaults() throws {
    let (plan, schedule) = Self.simple()
    try schedule.check(plan, passes: 1, layers: 4)
    for index in schedule.operations.indices {
      if case .update = schedule.operations[index] { continue }
      var broken = schedule
      broken.operations.remove(at: index)
      for stage in broken.starts.indices where broken.starts[stage] > index { broken.starts[stage] -= 1 }
      #expect(throws: ScheduleFault.self, "without \(schedule.operations[index])") {
        try broken.check(plan, passes: 1, layers: 4)
      }
    }
    // The first stage waits for its gradient before it has sent anything.
    var stuck = schedule
    let own = stuck.operations(of: 0)
    let gradient = try #require(own.firstIndex { "\($0)".contains("gradient") })
    let first = try #require(own.firstIndex { "\($0)".contains("activation") })
    stuck.operations.swapAt(gradient, first)
    let fault = #expect(throws: ScheduleFault.self) { try stuck.check(plan, passes: 1, layers: 4) }
    guard case .deadlock? = fault else {
      Issue.record("no deadlock: \(String(describing: fault))")
      return
    }
  }

  @Test func oneForwardOneBackwardInWords() throws {
    let plan = Plan(
      order: .oneForwardOneBackward, overlap: false,
      pipelines: [Self.pipelines(trained: 2, forward: 0, layers: 4, samples: 3, k: 1, shared: 0)])
    let schedule = Schedule(
      plan, workload: SmallCases.workload(passes: 0), shape: SmallCases.shape(layers: 4), deviceCount: 2,
      steps: 1)
    func work(_ stage: Int) -> String {
      schedule.operations(of: stage).map(\.description).filter { !$0.contains("#") }.joined(separator: ", ")
    }
    #expect(
      work(0) == "forward 0.0.0, forward 0.0.1, backward 0.0.0, forward 0.0.2, backward 0.0.1, "
        + "backward 0.0.2, update 0")
    #expect(
      work(1) == "forward 0.0.0, backward 0.0.0, forward 0.0.1, backward 0.0.1, forward 0.0.2, "
        + "backward 0.0.2, update 0")
  }

  @Test func codingAPlanKeepsEverything() throws {
    let (plan, _) = Self.simple()
    #expect(try JSONDecoder().decode(Plan.self, from: JSONEncoder().encode(plan)) == plan)
  }
}
