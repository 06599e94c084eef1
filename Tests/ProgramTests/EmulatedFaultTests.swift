import ClusterEmulation
import ClusterLaunch
import Foundation
import Testing

extension ClusterJobs {
  /// Cut links and hosts whose processes all die, on emulated hosts. Needs root; part of `make test-all`.
  @Suite(.serialized, .enabled(if: RunningTraining.hostsCanBeMade)) struct EmulatedFaultTests {
    private static let settings = ClusterFaultTests.settings
    private static let devices = ["d0", "d1", "d2"]

    /// A training on three emulated hosts with the devices' names; `left.yaml` and `cluster.yaml` are for
    /// resuming without them.
    private func start(_ here: ClusterProject, _ options: [String]) throws -> RunningTraining {
      try here.write("hosts: [{name: d0}, {name: d1}, {name: d2}]", to: "emulated.yaml")
      let arguments = ClusterProject.arguments(
        "run", Self.settings,
        ["--cluster", "hosts-cluster.yaml", "--wire", "float32", "--workers", "1", "--one-pipeline"]
          + options)
      let script = """
        cp "$1" hosts.part && mv hosts.part hosts.yaml
        while [ ! -e hosts-cluster.yaml ]; do sleep 0.05; done
        shift
        exec "$@"
        """
      let training = try RunningTraining(
        here,
        [
          "cluster", "emulate", "emulated.yaml", "--", "/bin/sh", "-c", script, "sh", "{hosts}",
          Program.url.path,
        ]
          + arguments, out: "run")
      try training.wait(for: "hosts") { here.exists("hosts.yaml") }
      let hosts = try Hosts(contentsOf: here.path("hosts.yaml"))
      // The same devices as in cluster.yaml, at other addresses.
      var text = ClusterProject.cluster(Self.devices)
      for host in hosts.hosts {
        text.replace(try Regex("(name: \(host.name),.*)localhost"), maxReplacements: 1) {
          "\($0.output[1].substring ?? "")\(host.address)"
        }
      }
      text +=
        "\nlaunch: {network: \(try #require(hosts.network)), remoteShell: \(try #require(hosts.remoteShell))}"
      try here.write(text, to: "hosts-cluster.yaml")
      return training
    }

    private func ip(_ arguments: [String]) throws -> String {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["ip"] + arguments
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      return text
    }

    private func cut(_ host: Int, _ training: RunningTraining) throws {
      _ = try ip(["link", "set", EmulationNames(owner: training.identifier).port(host), "down"])
    }

    private func killAll(on host: Int, _ training: RunningTraining) throws {
      let namespace = EmulationNames(owner: training.identifier).host(Self.devices[host])
      let processes = try ip(["netns", "pids", namespace]).split(separator: "\n").compactMap { pid_t($0) }
      #expect(!processes.isEmpty)
      for process in processes { Glibc.kill(process, SIGKILL) }
    }

    @Test(arguments: [0, 1, 2]) func aLinkThatIsCut(host: Int) throws {
      try ClusterFaultTests.withWholeRun(devices: 3) { here in
        let training = try start(here, [])
        try training.wait(forSteps: 20)
        try cut(host, training)
        try ClusterFaultTests.expectFailure(
          training, here, "run", names: ["rank \(host) ", "host 'd\(host)'"])
      }
    }

    @Test(arguments: [0, 1, 2]) func aHostWhoseProcessesAreAllKilled(host: Int) throws {
      try ClusterFaultTests.withWholeRun(devices: 3) { here in
        let training = try start(here, [])
        try training.wait(forSteps: 20)
        try killAll(on: host, training)
        try ClusterFaultTests.expectFailure(
          training, here, "run", names: ["rank \(host) ", "host 'd\(host)'"])
      }
    }

    /// The host answers again, but has failed once: the others continue without it.
    @Test func theOtherHostsGoOn() throws {
      try ClusterProject.with(devices: 3) { here in
        let training = try start(here, ["--elastic"])
        try training.wait(forSteps: 20)
        try training.copyRun(to: "copy") { try killAll(on: 1, training) }
        let (outcome, _, left) = try training.end()
        #expect(outcome.status == 0 && left == [], "\(outcome)")
        #expect(outcome.errors.contains("continuing over d0, d2\n"), "\(outcome.errors)")
        try ClusterElasticTests.expectSame(here, "run", "copy", over: ["d0", "d2"])
      }
    }

    @Test func theOtherHostsGoOnAfterACut() throws {
      try ClusterProject.with(devices: 3) { here in
        let training = try start(here, ["--elastic"])
        try training.wait(forSteps: 20)
        try training.copyRun(to: "copy") { try cut(2, training) }
        let (outcome, _, left) = try training.end()
        #expect(outcome.status == 0 && left == [], "\(outcome)")
        #expect(outcome.errors.contains("continuing over d0, d1\n"), "\(outcome.errors)")
        try ClusterElasticTests.expectSame(here, "run", "copy", over: ["d0", "d1"])
      }
    }
  }
}
