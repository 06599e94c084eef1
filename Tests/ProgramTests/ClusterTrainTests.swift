import ContextGear
import Foundation
import RunStore
import Testing

extension ClusterJobs {
  /// `train --cluster` through the built program, with real ranks under a real mpirun.
  @Suite(.serialized) struct ClusterTrainTests {
    /// Runs the same training in one process.
    private func trainAlone(_ here: ClusterProject, _ settings: [String], microBatch: Int) throws {
      let outcome = try here.train("alone", settings + ["training.microBatchSamples=\(microBatch)"], [])
      #expect(outcome.status == 0, "\(outcome)")
    }

    private func expectSame(_ here: ClusterProject, _ out: String) throws {
      #expect(here.isSame(out, "alone"))
      let (ours, alone) = (try here.records(out), try here.records("alone"))
      #expect(ours.count == alone.count && ours.map(\.loss) == alone.map(\.loss))
      #expect(ours.map(\.tokens) == alone.map(\.tokens) && ours.map(\.totalStep) == alone.map(\.totalStep))
    }

    private func expectDone(_ outcome: Program.Outcome) {
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      #expect(outcome.output.contains("A step as planned and as measured"), "\(outcome.output)")
    }

    @Test(arguments: [2, 4]) func thePlanMadeOnTheWayGivesTheBitsOfOneProcess(ranks: Int) throws {
      try ClusterProject.with(devices: ranks) { here in
        expectDone(try here.train("run"))
        let plan = try here.plan("run")
        #expect(plan.phases.allSatisfy { $0.devices.count >= min(ranks, 3) }, "\(plan.text)")
        let sizes = Set(plan.phases.map { $0.plan.pipelines[0].microBatch })
        #expect(sizes.count == 1, "one process has one size for all phases")
        try trainAlone(here, [], microBatch: try #require(sizes.first))
        try expectSame(here, "run")
        // The first rank records the run.
        let store = try RunStore(reading: here.path(RunStore.defaultName))
        let recorded = try store.details(of: store.identifier(of: here.path("run")))
        #expect(recorded.sessions.map(\.environment.ranks) == [ranks])
        #expect(recorded.summary.state == .finished)
        #expect(recorded.summary.steps == (try here.records("run").count))
      }
    }

    /// The data that the launcher passes to the ranks may be longer than one environment variable.
    @Test func aLongClusterFileReachesTheRanks() throws {
      try ClusterProject.with(devices: 2) { here in
        let long = String(repeating: "0123456789", count: 30_000)
        try here.write(
          ClusterProject.cluster(["d0", "d1"])
            + "\nmeasured: {when: today, machine: here, settings: \"\(long)\"}\n",
          to: "cluster.yaml")
        expectDone(try here.train("run", ["training.maxSteps=2"]))
        #expect(try here.plan("run").cluster.measured?.settings == long)
      }
    }

    /// Groups of both kinds, whatever a planner would choose for such a small model.
    @Test(arguments: [2, 4], ["predicted", "mixed(0.5)"])
    func predictedAnswersGiveTheBitsOfOneProcess(ranks: Int, parentAnswers: String) throws {
      try ClusterProject.with(devices: ranks) { here in
        // With validation during training, phases may end at other steps than planned.
        let settings = ["training.parentAnswers=\(parentAnswers)", "training.validateEvery=2"]
        try here.makePlan(settings) { pipeline in
          typealias Stage = Plan.Stage
          pipeline.microBatch = 2
          pipeline.shared = ranks == 4 ? 1 : 0
          pipeline.trained =
            ranks == 4
            ? [Stage(device: 1, layers: 0..<3), Stage(device: 0, layers: 3..<4)]
            : [Stage(device: 1, layers: 0..<4)]
          pipeline.forward =
            ranks == 4
            ? [Stage(device: 3, layers: 0..<2), Stage(device: 2, layers: 2..<4)]
            : [Stage(device: 0, layers: 0..<4)]
        }
        expectDone(try here.train("run", settings, ClusterProject.exact + ["--plan", "plan.json"]))
        try trainAlone(here, settings, microBatch: 2)
        try expectSame(here, "run")
      }
    }

    /// One micro-batch each, so that the gradients are summed in the order of one process.
    @Test(arguments: ["gold", "predicted"])
    func replicasGiveTheBitsOfOneProcess(parentAnswers: String) throws {
      try ClusterProject.with(devices: 4) { here in
        let settings = ["training.parentAnswers=\(parentAnswers)"]
        try here.makePlan(
          settings,
          ofEachTask: { plan in
            typealias Stage = Plan.Stage
            let samples = plan.pipelines[0].samples / 2
            func replica(_ trained: [Stage]) -> Plan.Pipeline {
              Plan.Pipeline(trained: trained, forward: [], samples: samples, microBatch: samples, shared: 1)
            }
            plan.pipelines = [
              replica([Stage(device: 2, layers: 0..<1), Stage(device: 1, layers: 1..<4)]),
              replica([Stage(device: 0, layers: 0..<3), Stage(device: 3, layers: 3..<4)]),
            ]
          })
        expectDone(try here.train("run", settings, ClusterProject.exact + ["--plan", "plan.json"]))
        let samples = try here.plan("run").phases[0].plan.pipelines[0].samples
        try trainAlone(here, settings, microBatch: samples)
        try expectSame(here, "run")
      }
    }

    /// Without `--one-pipeline` the planner may replicate; the losses then differ only in their last digits.
    @Test func thePlannersReplicasAreCloseToOneProcess() throws {
      try ClusterProject.with(devices: 2) { here in
        expectDone(try here.train("run", [], ClusterProject.exact.filter { $0 != "--one-pipeline" }))
        let plan = try here.plan("run")
        #expect(plan.phases.contains { $0.plan.pipelines.count == 2 }, "\(plan.text)")
        try trainAlone(here, [], microBatch: 1)
        let (ours, alone) = (try here.records("run"), try here.records("alone"))
        #expect(ours.count == alone.count && ours.map(\.tokens) == alone.map(\.tokens))
        for (a, b) in zip(ours, alone) { #expect(abs(a.loss - b.loss) < 1e-3 * b.loss) }
      }
    }

    /// The report is for this program's launcher; a person who starts ranks by hand reads a sentence.
    @Test func whoeverResumesReadsWhere() throws {
      try ClusterProject.with(devices: 2) { here in
        let settings = ["training.maxSteps=1"]
        #expect(try here.train("run", settings).status == 0)
        for starter in [[], try here.writeLauncher(#"-np 2 "$@""#)] {
          let resumed = try here.train("run", settings, ClusterProject.exact + ["--resume"], under: starter)
          #expect(resumed.status == 0, "\(resumed)")
          #expect(resumed.output.contains("\nResuming after step 3\n"), "\(resumed.output)")
          #expect(!resumed.output.contains("{"), "\(resumed.output)")
        }
      }
    }

    @Test func moreDevicesThanLayers() throws {
      try ClusterProject.with(devices: 3, layers: 2) { here in
        expectDone(try here.train("run"))
        let plan = try here.plan("run")
        #expect(plan.phases.allSatisfy { $0.devices.count <= 2 })
        try trainAlone(here, [], microBatch: plan.phases[0].plan.pipelines[0].microBatch)
        try expectSame(here, "run")
      }
    }

    private static let withoutBFloat16 = "export ONEDNN_MAX_CPU_ISA=AVX2"

    @Test func emulatedBFloat16GivesTheBitsOfOneProcess() throws {
      try ClusterProject.with(devices: 2) { here in
        let settings = ["training.precision=bfloat16"]
        let outcome = try here.train("run", settings, shell: Self.withoutBFloat16)
        #expect(outcome.status == 0 && outcome.output.contains(" in bfloat16 over 2 devices"), "\(outcome)")
        // Both ranks emulate; only one reports it.
        #expect(outcome.errors.hasPrefix("note: bfloat16 is emulated"), "\(outcome.errors)")
        #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
        let size = try here.plan("run").phases[0].plan.pipelines[0].microBatch
        let alone = try here.train(
          "alone", settings + ["training.microBatchSamples=\(size)"], [], shell: Self.withoutBFloat16)
        #expect(alone.status == 0, "\(alone)")
        try expectSame(here, "run")
      }
    }

    /// As if the run had been started on other processors.
    @Test func aRunGoesOnInTheFormatItWasBegunIn() throws {
      try ClusterProject.with(devices: 2) { here in
        let settings = ["training.precision=auto"]
        let first = try here.train("run", settings, shell: Self.withoutBFloat16)
        #expect(first.status == 0 && first.output.contains(" in float32 over 2 devices"), "\(first)")
        let manifest = try String(contentsOfFile: here.path("run/run.json"), encoding: .utf8)
        #expect(manifest.contains("\"float32\""))
        try here.write(
          manifest.replacingOccurrences(of: "\"float32\"", with: "\"bfloat16\""), to: "run/run.json")
        let again = try here.train(
          "run", settings, ClusterProject.exact + ["--resume"], shell: Self.withoutBFloat16)
        #expect(again.status == 0 && again.output.contains(" in bfloat16 over 2 devices"), "\(again)")
        #expect(again.errors.hasPrefix("note: bfloat16 is emulated"), "\(again.errors)")
      }
    }

    @Test func oneDevice() throws {
      try ClusterProject.with(devices: 1, choosesOnly: false) { here in
        try here.makePlan { $0.microBatch = 2 }
        expectDone(try here.train("run", [], ClusterProject.exact + ["--plan", "plan.json"]))
        try trainAlone(here, [], microBatch: 2)
        try expectSame(here, "run")
      }
    }
  }
}
