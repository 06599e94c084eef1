import ContextGear
import Foundation
import InputErrors
import Testing

@Suite("Reports") struct ReportTests {
  private static func planned() throws -> (PlannedPhase, Planner, Cluster) {
    let cluster = SmallCases.cluster(3, seed: 2, wires: .fast)
    let planner = Planner(cluster, shape: SmallCases.shape(layers: 6))
    return (try planner.plan(SmallCases.workload()), planner, cluster)
  }

  @Test func jsonKeepsThePlan() throws {
    let (phase, _, cluster) = try Self.planned()
    let plan = WorkflowPlan(
      workflow: "w", identity: "i", cluster: cluster, shape: SmallCases.shape(layers: 6), phases: [phase],
      levels: [])
    #expect(try JSONDecoder().decode(WorkflowPlan.self, from: plan.json()) == plan)
    for use in phase.devices { #expect(plan.text.contains(use.name)) }
  }

  @Test("a plan's file with any changed number is refused, or can be shown and added up")
  func hostilePlans() throws {
    let (phase, _, cluster) = try Self.planned()
    let plan = WorkflowPlan(
      workflow: "w", identity: "i", cluster: cluster, shape: SmallCases.shape(layers: 6), phases: [phase],
      levels: [])
    let good = String(decoding: try plan.json(), as: UTF8.self)
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("plan-\(UUID().uuidString).json")
      .path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var refused = 0
    let numbers = good.matches(of: /: (-?[0-9][0-9.e+-]*)/)
    try #require(numbers.count > 50)
    for number in numbers {
      for value in [
        "-1", "0", "9223372036854775807", "-9223372036854775808", "1e308", "-1e308", "null", "[]",
      ] {
        let text = good.replacingCharacters(in: number.1.startIndex..<number.1.endIndex, with: value)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        do {
          let read = try WorkflowPlan(contentsOf: path)
          #expect(!read.text.isEmpty)
          for phase in read.phases {
            // As the report of a training adds them.
            _ = phase.traffic.reduce(0) { $0 + $1.bytes }
            _ = phase.plan.pipelines.map { ($0.count, $0.share, ($0.trained + $0.forward).map(\.layers)) }
            _ = phase.devices.map { read.cluster.devices[$0.device].workers }
          }
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > numbers.count)

    func isRefused(_ change: (inout WorkflowPlan) -> Void) throws -> Bool {
      var changed = plan
      change(&changed)
      try changed.json().write(to: URL(fileURLWithPath: path))
      return (try? WorkflowPlan(contentsOf: path)) == nil
    }
    #expect(try !isRefused { _ in })
    #expect(try isRefused { $0.phases[0].plan.pipelines = [] })
    #expect(try isRefused { $0.phases[0].plan.pipelines[0].trained = [] })
    let traffic = try #require(phase.traffic.first)
    #expect(try isRefused { $0.phases[0].traffic = [traffic, traffic] })
  }

  @Test func picturesShowEveryStage() throws {
    let (phase, planner, _) = try Self.planned()
    let gantt = Gantt(phase, planner)
    let lines = gantt.text(width: 60).split(separator: "\n")
    #expect(lines.count == phase.devices.count + 1)
    #expect(lines.contains { $0.contains("B") } && lines.contains { $0.contains("F") })
    let svg = gantt.svg()
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n") && svg.contains("<title>backward 0."))
  }

  @Test func idleAndTrafficAreThoseOfAStep() throws {
    let (phase, _, _) = try Self.planned()
    #expect(phase.devices.allSatisfy { (0...1).contains($0.idle) && $0.memory <= $0.available })
    #expect(phase.traffic.allSatisfy { $0.bytes >= 0 })
    #expect(phase.devices.count == 1 || phase.traffic.contains { $0.bytes > 0 })
  }

  @Test func independentTasksSideBySide() throws {
    // Two equal devices with a slow link, two equal tasks: one task on each device takes half the time.
    var cluster = SmallCases.cluster(2, seed: 1, wires: .slow, twins: true)
    cluster.networks[0].bandwidth = 1e3
    let planner = Planner(cluster, shape: SmallCases.shape(layers: 4))
    let work = SmallCases.workload(passes: 0)
    let alone = try planner.plan(work).stepTime
    let level = try #require(planner.planLevel([[work], [work]], oneAfterTheOther: 2 * alone))
    #expect(abs(level.sideBySide - alone) < 1e-9 && level.lanes.map(\.devices).joined().sorted() == [0, 1])
    #expect(planner.planLevel([[work, work]], oneAfterTheOther: 2 * alone) == nil)
  }

  /// Two lanes of two devices each; no single device has enough memory for one.
  @Test func lanesShareAChannel() throws {
    let shape = SmallCases.shape(layers: 4)
    let work = SmallCases.workload(passes: 0)
    let whole = StageCosts.memory(shape, work, layers: 0..<4, microBatch: 1, trains: true, inFlight: 1)
    var cluster = SmallCases.cluster(4, seed: 1, wires: .shared, twins: true)
    cluster.networks[0].bandwidth = 1e6
    for index in cluster.devices.indices { cluster.devices[index].memory = whole - 1 }
    let level = try #require(
      Planner(cluster, shape: shape).planLevel([[work], [work]], oneAfterTheOther: 1e9))
    #expect(level.lanes.allSatisfy { $0.devices.count == 2 && $0.phases[0].devices.count == 2 })
    let alone = try Planner(cluster.subset([0, 1]), shape: shape).plan(work).stepTime
    #expect(level.sideBySide > 1.2 * alone)
    cluster.networks[0].bandwidth = 5e5
    let halved = try Planner(cluster.subset([0, 1]), shape: shape).plan(work).stepTime
    #expect(abs(level.sideBySide - halved) < 1e-9)
  }

  @Test func leavingOutAPartIsNotFaster() throws {
    let (_, planner, _) = try Self.planned()
    let work = SmallCases.workload()
    let whole = try #require(planner.stepTime(work, without: nil))
    for part in Ablation.allCases {
      let without = try #require(planner.stepTime(work, without: part))
      #expect(without >= whole * 0.95, "\(part)")
    }
  }

  @Test func medians() {
    #expect(GearExperiments.median([]) == nil)
    #expect(GearExperiments.median([3, 1, 2]) == 2)
    #expect(GearExperiments.median([4, 1, 2, 3]) == 2.5)
  }
}
