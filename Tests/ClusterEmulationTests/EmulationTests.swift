import ClusterEmulation
import ClusterLaunch
import Foundation
import Testing

/// Namespaces, links and processor shares of this machine's kernel. Needs root; part of `make test-all`.
@Suite(.serialized, .enabled(if: Emulated.isPossible)) struct EmulationTests {
  @Test func ranksOnEmulatedHostsSeeTheDescribedLinks() throws {
    let run = try Emulated(
      """
      link: {bandwidth: 80 Mbit/s, delay: 3 ms}
      hosts: [{name: a}, {name: b, link: {bandwidth: 40 Mbit/s}}]
      """, "\(Emulated.probe) launch $1 2 check && \(Emulated.probe) launch $1 2 profile")
    let (code, output) = run.end()
    #expect(code == 0)
    #expect(output.matches(of: /rank \d of 2: check passed/).count == 2)
    let links = output.matches(of: /latency ([\d.]+) us  bandwidth ([\d.]+) MB/)
    #expect(links.count == 2)
    for link in links {
      // 40 Mbit/s are 5 MB/s, of which headers take 4 %; a busy machine increases the latency.
      let (latency, bandwidth) = (try #require(Double(link.1)), try #require(Double(link.2)))
      #expect((4.2...5.1).contains(bandwidth), "\(output)")
      #expect((6000...12000).contains(latency), "\(output)")
    }
    #expect(run.remains.isEmpty && !run.hasFiles)
  }

  @Test(.enabled(if: Emulated.machine.features().cpu != nil, "needs control groups"))
  func aHostGetsItsShareOfTheProcessor() throws {
    let run = try Emulated(
      "hosts: [{name: a, cpu: 0.25}]",
      "$AGENT a 'hostname; timeout 3 sh -c \"while :; do :; done\"; times'")
    let (_, output) = run.end()
    #expect(output.hasPrefix("a\n"))
    // The last line of 'times' is for the shell's children.
    let used = try #require(output.split(separator: "\n").last).matches(of: /(\d+)m([\d.]+)s/)
      .reduce(0.0) { $0 + (Double($1.1) ?? 0) * 60 + (Double($1.2) ?? 0) }
    // 0.25 cores for 3 s; other programs may need the processor, too.
    #expect((0.4...0.9).contains(used), "\(output)")
    #expect(run.remains.isEmpty && !run.hasFiles)
  }

  @Test func theCommandsExitCodeIsPassedOn() throws {
    let run = try Emulated("hosts: [{name: a, cpu: 0.5}]", "$AGENT a 'sleep 600 & sleep 600 &'; exit 7")
    #expect(run.end().code == 7)
    #expect(run.remains.isEmpty && !run.hasFiles)
  }

  @Test(arguments: [SIGINT, SIGTERM]) func aSignalEndsIt(number: Int32) throws {
    let run = try Emulated(
      "hosts: [{name: a}, {name: b, cpu: 0.5}]", "exec \(Emulated.probe) launch $1 2 watch")
    var text = ""
    while text.matches(of: /is process \d+\n/).count < 2 {
      let more = run.read()
      try #require(!more.isEmpty)
      text += more
    }
    #expect(!run.remains.isEmpty && run.hasFiles)
    run.signal(number)
    // The launcher ends its job and exits with 1.
    #expect(run.end().code == 1)
    #expect(run.remains.isEmpty && !run.hasFiles)
    let ranks = text.matches(of: /is process (\d+)/).compactMap { pid_t($0.1) }
    #expect(ranks.count == 2 && !ranks.contains(where: JobProcesses.isRunning))
  }

  @Test func whatAKilledOneLeftIsRemoved() throws {
    let run = try Emulated("hosts: [{name: a, cpu: 0.5}]", "$AGENT a 'echo ready; exec sleep 600'")
    #expect(run.read() == "ready\n")
    // A running emulation is left alone.
    #expect(try !Emulated.machine.removeLeftovers().contains(run.names.emulation))
    run.kill()
    #expect(run.remains.namespaces == [run.names.host("a")])
    #expect(try Emulated.machine.removeLeftovers().contains(run.names.emulation))
    #expect(run.remains.isEmpty && !run.hasFiles)
  }

  @Test func twoAtOnceHaveNetworksOfTheirOwn() throws {
    let runs = try (0..<2).map { _ in
      try Emulated("hosts: [{name: a}]", "sed -n 's/.*address: //p' $1; sleep 3")
    }
    #expect(Set(runs.map { $0.end().output }).count == 2)
    #expect(runs.allSatisfy { $0.remains.isEmpty && !$0.hasFiles })
  }
}

/// The fallback if hosts cannot be namespaces.
@Suite(.serialized) struct FallbackTests {
  @Test func allRanksAreOnThisMachine() throws {
    let machine = Machine(environment: ProcessInfo.processInfo.environment, isRoot: false)
    let cluster = try EmulatedCluster(
      yaml: "{link: {bandwidth: 8 Mbit/s}, hosts: [{name: a}, {name: b}]}", file: "e")
    let emulation = try Emulation(cluster, on: machine)
    let hosts = try Hosts(contentsOf: emulation.hostsFile)
    #expect(hosts.slots == 2 && hosts.network == nil)
    #expect(emulation.agent == nil && emulation.variables["CONTEXTURE_LINKS"] != nil)
    #expect(emulation.plan.labour.place?.contains("only root") == true)
    try emulation.stop()
    #expect(!FileManager.default.fileExists(atPath: emulation.hostsFile))
  }
}
