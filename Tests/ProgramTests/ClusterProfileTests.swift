import ContextGear
import Foundation
import TestSupport
import Testing

/// `cluster profile` through the built program, with real ranks under a real mpirun.
@Suite(.serialized) struct ClusterProfileTests {
  private static let tiny = Fixtures.url("training/models/grouped").path

  private func profile(
    _ arguments: [String], in folder: URL, under starter: [String] = []
  ) throws -> Program.Outcome {
    try Program.run(
      ["cluster", "profile", "--lora-rank", "4", "--seconds", "0.001"] + arguments, in: folder,
      under: starter)
  }

  /// A workflow with the tiny model; `plan` needs no data if tokens are given.
  private static let workflow = """
    name: w
    model: \(tiny)
    data: none
    tasks:
      - {name: see, instruction: See., inputs: [scene], parents: []}
    lora: {rank: 4}
    """

  private func write(_ text: String, _ name: String, _ folder: URL) throws {
    try Data(text.utf8).write(to: folder.appendingPathComponent(name))
  }

  @Test func twoRanksOfThisMachineMakeAFileThatPlanReads() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let outcome = try profile(
        ["--ranks", "2", "--model", Self.tiny, "--precision", "float32", "--out", "lab.yaml"], in: folder)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      #expect(outcome.output.contains("57/57 the head, 256 labelled tokens"), "\(outcome.output)")
      #expect(outcome.output.hasSuffix("Written to lab.yaml\n") && !outcome.output.contains("@profile"))
      let cluster = try Cluster(contentsOf: folder.appendingPathComponent("lab.yaml").path)
      #expect(cluster.name == "lab" && cluster.measured?.model == "3x48x80x96")
      #expect(cluster.devices.map(\.name) == ["localhost-1", "localhost-2"])
      #expect(cluster.devices.allSatisfy { $0.host == "localhost" && ($0.workers ?? 0) > 0 })
      // Two ranks of one machine are also timed one at a time.
      #expect(cluster.devices.allSatisfy { $0.machine == 1 })
      for device in cluster.devices {
        guard case .measured(let times) = device.speed else {
          Issue.record("\(device) was not measured")
          continue
        }
        #expect(times.rank == 4 && times.columns.count == 2 && times.lastLayerSaves != nil)
        #expect((times.sumPerLayer?.add ?? 0) > 0)
        #expect(times.mergesFrozen)
        #expect((times.contention?.factor ?? 0) >= 1 && times.contention?.others == 1)
      }
      #expect(
        cluster.links.map { [$0.from, $0.to] } == [
          ["localhost-1", "localhost-2"], ["localhost-2", "localhost-1"],
        ])
      #expect(cluster.links.allSatisfy { $0.directed && $0.residual != nil })
      try write(Self.workflow, "w.yaml", folder)
      let plan = try Program.run(
        ["plan", "w.yaml", "--cluster", "lab.yaml", "--tokens", "see=20,2"], in: folder)
      #expect(plan.status == 0 && plan.errors.isEmpty, "\(plan)")
      #expect(plan.output.contains("lab was measured 20"), "\(plan.output)")
    }
  }

  @Test func theHostsFileNamesDevicesAndLaunch() throws {
    try Fixtures.withTemporaryDirectory { folder in
      try write(
        "hosts: [{name: nano, address: 127.0.0.1, slots: 2}]\nnetwork: 127.0.0.0/8", "hosts.yaml", folder)
      let outcome = try profile(
        ["--hosts", "hosts.yaml", "--ranks", "2", "--model", Self.tiny, "--out", "c.yaml"], in: folder)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      let cluster = try Cluster(contentsOf: folder.appendingPathComponent("c.yaml").path)
      #expect(cluster.devices.map(\.name) == ["nano-1", "nano-2"])
      #expect(cluster.devices.map(\.host) == ["127.0.0.1", "127.0.0.1"])
      #expect(cluster.launch == Launch(network: "127.0.0.0/8"))
    }
  }

  /// Refused arguments, and the text of the one message.
  static let refused: [([String], String)] = [
    (["--model", "no/where", "--ranks", "2", "--out", "c.yaml"], "contexture: no/where: no such model"),
    (["--model", tiny, "--hosts", "none.yaml", "--out", "c.yaml"], "contexture: none.yaml: "),
    (["--model", tiny, "--out", "none/c.yaml"], "contexture: none/c.yaml: its folder does not exist"),
    (["--model", tiny, "--ranks", "0", "--out", "c.yaml"], "contexture: --ranks: 0 is outside"),
    (["--model", tiny, "--ranks", "3", "--hosts", "h.yaml", "--out", "c.yaml"], "contexture: 3 ranks "),
  ]

  @Test(arguments: refused.indices) func refusals(index: Int) throws {
    let (arguments, message) = Self.refused[index]
    try Fixtures.withTemporaryDirectory { folder in
      try write("hosts: [{name: localhost}]", "h.yaml", folder)
      let outcome = try profile(arguments, in: folder)
      #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.errors.hasPrefix(message), "\(outcome.errors)")
      #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("c.yaml").path))
    }
  }

  /// A script that starts ranks without this program's launcher.
  private static func start(_ ranks: String) -> String {
    """
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_pml=ob1
    exec $(command -v mpirun.openmpi || command -v mpirun) --oversubscribe --bind-to none \(ranks)
    """
  }

  @Test func ranksWithAnotherModelAreNamed() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let other = Fixtures.url("logits/gqa-untied").path
      try write(Self.start(#"-np 1 "$@" : -np 1 "$@" --model "# + other), "start.sh", folder)
      let outcome = try profile(
        ["--model", Self.tiny, "--out", "c.yaml"], in: folder, under: ["/bin/sh", "./start.sh"])
      #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
      let said = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("contexture: ") }
      #expect(said.count == 1, "\(outcome.errors)")
      #expect(said.first?.contains(/rank 1 on host '.*': the model is .*; put the same model/) == true)
      #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("c.yaml").path))
    }
  }

  /// If started manually, the ranks detect the job, and rank 0 writes the file.
  @Test func ranksStartedByMpirunTakePart() throws {
    try Fixtures.withTemporaryDirectory { folder in
      try write(Self.start(#"-np 2 "$@""#), "start.sh", folder)
      let outcome = try profile(
        ["--model", Self.tiny, "--out", "c.yaml"], in: folder, under: ["/bin/sh", "./start.sh"])
      #expect(outcome.status == 0, "\(outcome)")
      let cluster = try Cluster(contentsOf: folder.appendingPathComponent("c.yaml").path)
      #expect(cluster.devices.count == 2 && cluster.links.count == 2)
      #expect(outcome.output.components(separatedBy: "Written to c.yaml").count == 2)
    }
  }
}
