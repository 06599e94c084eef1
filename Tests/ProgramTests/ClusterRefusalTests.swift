import ClusterLaunch
import ContextGear
import Foundation
import Testing

extension ClusterJobs {
  /// Inputs that `train --cluster` refuses: one message, nothing left running, no run folder.
  @Suite(.serialized) struct ClusterRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
      let name: String
      var settings: [String] = []
      var options = ClusterProject.exact
      /// `sh` commands that run before the program.
      var shell = ":"
      var status: Int32 = 2
      /// Creates the fault.
      var prepare: @Sendable (ClusterProject) throws -> Void = { _ in }
      /// Each must be in the message.
      let expected: [String]

      var testDescription: String { name }
    }

    private static let plan = ClusterProject.exact + ["--plan", "plan.json"]

    private static func write(_ text: String) -> @Sendable (ClusterProject) throws -> Void {
      { try $0.write(text, to: "cluster.yaml") }
    }

    private static func devices(_ hosts: [String]) -> String {
      hosts.enumerated().map { index, host in
        let device = ClusterProject.cluster(["d\(index)"], host: host)
        return device.split(separator: "\n").first { $0.contains("- {") }.map { "\($0)\n" } ?? ""
      }.joined()
    }

    static let cases: [Case] = [
      Case(
        name: "no such cluster file", options: ["--cluster", "none.yaml"],
        expected: ["none.yaml: there is no such file"]),
      Case(
        name: "devices without a host", prepare: write(ClusterProject.cluster(["a", "b"], host: nil)),
        expected: ["device a: has no address; give it a host"]),
      Case(
        name: "devices of a host that do not stand together",
        prepare: write(
          "devices:\n\(devices(["localhost", "127.0.0.1", "localhost"]))launch: {network: lo}"),
        expected: ["devices: those of one host are not listed together; list"]),
      Case(
        name: "a host that does not answer", status: 4,
        prepare: write(
          """
          devices:
          \(devices(["localhost", "192.0.2.1"]))
          networks: [{kind: wifi6}]
          launch: {network: lo}
          """), expected: ["host 'd1': the remote shell to it ended with exit code 255; check that it is on"]),
      Case(
        name: "a plan for other settings", options: plan,
        prepare: { try $0.makePlan(["lora.alpha=7"]) },
        expected: [
          "workflow.yaml: the plan was made for another workflow, or with other settings; make it again"
        ]),
      Case(
        name: "a plan over other devices", options: plan,
        prepare: {
          try $0.makePlan()
          try $0.write(ClusterProject.cluster(["x", "y", "z"]), to: "cluster.yaml")
        }, expected: ["plan.json: is for the devices d0, d1, but the cluster has x, y, z; make"]),
      Case(
        name: "a plan that leaves a layer out", options: plan,
        prepare: { try $0.makePlan { $0.trained = [Plan.Stage(device: 0, layers: 0..<3)] } },
        expected: [
          "the plan of task 'colour' does not assign each layer and each sample to one device; make"
        ]),
      Case(
        name: "a plan in which nobody answers", settings: ["training.parentAnswers=predicted"], options: plan,
        prepare: {
          try $0.makePlan(["training.parentAnswers=predicted"]) {
            $0.forward = []
            $0.shared = 0
          }
        },
        expected: [
          "the plan of task 'mood' does not assign each layer and each sample to one device; make"
        ]),
      Case(
        name: "a plan of more samples than there are", options: plan,
        prepare: {
          try $0.makePlan(
            [],
            ofEachTask: { plan in
              plan.pipelines = [0, 1].map {
                Plan.Pipeline(
                  trained: [Plan.Stage(device: $0, layers: 0..<4)], forward: [], samples: .max,
                  microBatch: .max,
                  shared: 0)
              }
            })
        },
        expected: [
          "the plan of task 'colour' does not assign each layer and each sample to one device; make"
        ]),
      Case(
        name: "a plan for a model of other heads", options: plan,
        prepare: { here in
          try here.makePlan()
          let text = try String(contentsOfFile: here.path("plan.json"), encoding: .utf8)
          try here.write(
            text.replacing(#/"headDimension" ?: ?\d+/#, with: #""headDimension": 4096"#), to: "plan.json")
        }, expected: ["the plan was made for a model of other sizes, or for another adapter; make it again"]),
      Case(
        name: "a plan that needs more memory than the machine has", options: plan,
        prepare: { here in
          try here.makePlan()
          let text = try String(contentsOfFile: here.path("plan.json"), encoding: .utf8)
          try here.write(
            text.replacing(#/"memory" ?: ?\d+/#, with: #""memory": 576460752303423488"#), to: "plan.json")
        }, expected: ["needs 549755813888 MiB for task 'colour', but its machine has "]),
      Case(
        name: "no plan in the file", options: plan, prepare: { try $0.write("{}", to: "plan.json") },
        expected: ["plan.json: is not a plan of this version; make it again"]),
      Case(
        name: "adaptive freezing", settings: ["training.frozenRatio=adaptive"],
        expected: ["frozenRatio: adaptive needs the gradients of all layers in one process; set"]),
      Case(
        name: "predicted answers in free text", settings: ["training.parentAnswers=predicted"],
        prepare: { here in
          let file = try String(contentsOfFile: here.path("workflow.yaml"), encoding: .utf8)
          try here.write(
            file.replacing("parents: [colour]}", with: "parents: [note]}").replacing(
              "parents: [colour, mood]", with: "parents: [colour]"),
            to: "workflow.yaml")
        },
        expected: ["task 'note' answers in free text, which a pipeline cannot generate for its children; set"]
      ),
      Case(
        name: "a run that is not there", options: ClusterProject.exact + ["--resume"],
        expected: ["/run: is not a run: it has no run.json; give the folder"]),
      Case(
        name: "no mpirun", shell: "PATH=/nowhere", expected: ["mpirun is not in PATH; install Open MPI"]),
      Case(
        name: "a plan without a cluster", options: ["--plan", "plan.json"],
        expected: ["--plan: needs several devices; give --cluster FILE, or leave --plan out"]),
      Case(
        name: "elastic without a cluster", options: ["--elastic"],
        expected: ["--elastic: needs several devices; give --cluster FILE, or leave --elastic out"]),
      Case(
        name: "workers without a cluster", options: ["--workers", "2"],
        expected: ["--workers: needs several devices; give --cluster FILE, or leave --workers out"]),
      Case(
        name: "tokens without a cluster", options: ["--tokens", "mood=20,2"],
        expected: ["--tokens: needs several devices; give --cluster FILE, or leave --tokens out"]),
    ]

    /// Runs the program and looks for what it left behind: processes with a mark in their environment.
    private func refuse(
      _ here: ClusterProject, _ example: Case, under starter: [String] = []
    ) throws -> Program.Outcome {
      let (variable, value) = (RunningTraining.variable, UUID().uuidString)
      let outcome = try here.train(
        "run", example.settings, example.options,
        shell: "export \(variable)=\(value); \(example.shell)", under: starter)
      #expect(outcome.status == example.status, "\(outcome)")
      #expect(outcome.output.isEmpty, "\(outcome.output)")
      let said = outcome.errors.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("contexture: ") }
      #expect(said.count == 1, "\(outcome.errors)")
      for text in example.expected { #expect(said.first?.contains(text) == true, "\(outcome.errors)") }
      #expect(JobProcesses(variable: variable, value: value).running() == [])
      return outcome
    }

    @Test(arguments: cases) func refused(_ example: Case) throws {
      try ClusterProject.with(devices: 2, choosesOnly: false) { here in
        try example.prepare(here)
        let outcome = try refuse(here, example)
        // ssh has its own messages for a host that does not answer.
        if example.status == 2 {
          #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
        }
        #expect(!here.exists("run"))
      }
    }

    @Test func aFolderWithSomethingInIt() throws {
      try ClusterProject.with(devices: 2) { here in
        try FileManager.default.createDirectory(atPath: here.path("run"), withIntermediateDirectories: true)
        try here.write("mine", to: "run/notes")
        _ = try refuse(
          here,
          Case(name: "", expected: ["/run: is not empty (it holds notes); choose a new or empty folder"]))
        #expect(try FileManager.default.contentsOfDirectory(atPath: here.path("run")) == ["notes"])
      }
    }

    @Test func aRunOfOtherSettings() throws {
      try ClusterProject.with(devices: 2) { here in
        #expect(try here.train("run", ["training.maxSteps=1"], []).status == 0)
        let before = try FileManager.default.contentsOfDirectory(atPath: here.path("run")).sorted()
        _ = try refuse(
          here,
          Case(
            name: "", settings: ["training.maxSteps=2"], options: ClusterProject.exact + ["--resume"],
            expected: [
              "/run: is a run of another workflow, or with other settings (first difference: "
                + "'maxSteps: 1' in the run, 'maxSteps: 2' now); resume it with"
            ]))
        #expect(try FileManager.default.contentsOfDirectory(atPath: here.path("run")).sorted() == before)
      }
    }

    /// Ranks that were not started by this program.
    @Test(arguments: [
      (#"-np 3 "$@""#, "the plan has 2 devices, but the job has 3 ranks; start one rank for each device"),
      (
        #"-np 1 "$@" : -np 1 "$@" --set lora.alpha=7"#,
        "the workflow is "
      ),
      (
        #"-np 1 "$@" : -np 1 "$@" --set data=elsewhere"#,
        "rank 1 on host"
      ),
      (
        #"-np 1 "$@" : -np 1 "$@" --wire int8"#,
        "the number format on the wire is "
      ),
    ]) func ranksThatDoNotFit(ranks: String, message: String) throws {
      try ClusterProject.with(devices: 2) { here in
        let starter = try here.writeLauncher(ranks)
        _ = try refuse(here, Case(name: "", expected: [message]), under: starter)
        #expect(!here.exists("run"))
      }
    }
  }
}
