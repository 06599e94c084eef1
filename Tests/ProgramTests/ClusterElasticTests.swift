import Foundation
import TestSupport
import Testing

extension ClusterJobs {
  /// `train --cluster --elastic`: the job continues on the remaining devices.
  @Suite(.serialized) struct ClusterElasticTests {
    private static let elastic = ClusterProject.exact + ["--elastic"]
    private static let settings = ClusterFaultTests.settings

    /// Resumes manually on some of the devices, from a copy of the checkpoint, and compares.
    static func expectSame(
      _ here: ClusterProject, _ out: String, _ copy: String, over devices: [String],
      _ settings: [String] = settings, onePipeline: Bool = true
    ) throws {
      try here.write(ClusterProject.cluster(devices), to: "left.yaml")
      let options = ["--cluster", "left.yaml", "--wire", "float32", "--workers", "1", "--resume"]
      let resumed = try here.train(copy, settings, options + (onePipeline ? ["--one-pipeline"] : []))
      #expect(resumed.status == 0, "\(resumed)")
      #expect(here.isSame(out, copy) && here.isSame(out, copy, file: "checkpoint.safetensors"))
      #expect(try here.records(out) == here.records(copy))
      #expect(try here.plan(out).cluster.devices.map(\.name) == devices)
    }

    /// Rank 0's machine has the run folder, and another device on it takes over.
    @Test(.enabled(if: RunningTraining.faultsAreWanted), arguments: [(0, 50), (1, 50), (2, 20), (1, 1)])
    func aKilledRankIsLeftOut(rank: Int, steps: Int) throws {
      try ClusterProject.with(devices: 3) { here in
        let training = try ClusterFaultTests.start(here, "run", Self.settings, Self.elastic)
        try training.wait(forSteps: steps)
        try training.copyRun(to: "copy") { try training.kill(rank) }
        let (outcome, _, left) = try training.end()
        #expect(outcome.status == 0 && left == [], "\(outcome)")
        let devices = ["d0", "d1", "d2"].enumerated().filter { $0.offset != rank }.map(\.element)
        #expect(
          outcome.errors.contains("continuing over \(devices.joined(separator: ", "))\n"),
          "\(outcome.errors)")
        #expect(outcome.errors.contains("contexture: rank \(rank) "), "\(outcome.errors)")
        try Self.expectSame(here, "run", "copy", over: devices)
      }
    }

    /// Replicas, one of which is lost.
    @Test(.enabled(if: RunningTraining.faultsAreWanted), arguments: [0, 2])
    func aKilledReplicaIsLeftOut(rank: Int) throws {
      try ClusterProject.with(devices: 3) { here in
        let training = try ClusterFaultTests.start(
          here, "run", Self.settings, Self.elastic.filter { $0 != "--one-pipeline" })
        try training.wait(forSteps: 20)
        #expect(try here.plan("run").phases.contains { $0.plan.pipelines.count > 1 })
        try training.copyRun(to: "copy") { try training.kill(rank) }
        let (outcome, _, left) = try training.end()
        #expect(outcome.status == 0 && left == [], "\(outcome)")
        let devices = ["d0", "d1", "d2"].enumerated().filter { $0.offset != rank }.map(\.element)
        try Self.expectSame(here, "run", "copy", over: devices, onePipeline: false)
      }
    }

    /// The given plan is for all devices; after a failure, the remaining ones are planned again.
    @Test(.enabled(if: RunningTraining.faultsAreWanted)) func theGivenPlanEndsWithItsDevices() throws {
      try ClusterProject.with(devices: 3) { here in
        try here.makePlan(Self.settings)
        let training = try ClusterFaultTests.start(
          here, "run", Self.settings, Self.elastic + ["--plan", "plan.json"])
        try training.wait(forSteps: 20)
        try training.copyRun(to: "copy") { try training.kill(2) }
        #expect(try training.end().outcome.status == 0)
        try Self.expectSame(here, "run", "copy", over: ["d0", "d1"])
      }
    }

    /// Devices fail one after the other, until one is left.
    @Test(.enabled(if: RunningTraining.faultsAreWanted)) func severalFailures() throws {
      try ClusterProject.with(devices: 3) { here in
        let training = try ClusterFaultTests.start(here, "run", Self.settings, Self.elastic)
        try training.wait(forSteps: 20)
        try training.kill(2)
        try training.wait(for: "two ranks") { training.ranks().count < 3 }
        try training.wait(for: "two ranks") { training.ranks().count == 2 }
        let steps = try here.records("run").count
        try training.wait(forSteps: steps + 10)
        try training.copyRun(to: "copy") { try training.kill(1) }
        let (outcome, _, left) = try training.end()
        #expect(outcome.status == 0 && left == [], "\(outcome)")
        try Self.expectSame(here, "run", "copy", over: ["d0"])
      }
    }

    /// An mpirun that fails immediately.
    @Test func aJobThatFailsAtOnceIsGivenUp() throws {
      try ClusterProject.with(devices: 3) { here in
        let outcome = try Program.run(
          ClusterProject.arguments("run", [], Self.elastic), in: here.project.folder,
          path: Fixtures.url("programs/failing").path)
        #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
        let said = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("contexture: ") }
        #expect(said.count == 3, "\(outcome.errors)")
        #expect(said.last?.contains("; gave up after 3 failures without a new checkpoint; find") == true)
        #expect(!here.exists("run"))
      }
    }

    /// A failure that another device cannot avoid is no reason to restart.
    @Test func whatIsWrongInputIsNotTriedAgain() throws {
      try ClusterProject.with(devices: 2) { here in
        let outcome = try here.train("workflow.yaml/run", [], Self.elastic)
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
        let said = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("contexture: ") }
        #expect(said.count == 1 && said.first?.contains("workflow.yaml") == true, "\(outcome.errors)")
      }
    }
  }
}
