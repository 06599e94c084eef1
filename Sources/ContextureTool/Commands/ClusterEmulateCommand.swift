import ArgumentParser
import ClusterEmulation
import Foundation
import InputErrors
import TextTables

struct ClusterEmulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "emulate", abstract: "Runs a command beside emulated hosts with slow links and CPUs.",
    discussion: """
      Emulates the hosts that a YAML file describes on this machine: network namespaces on a bridge, links \
      of the described bandwidth, and a share of the CPU for each host. Then runs COMMAND, and removes the \
      hosts when it ends, also after Ctrl-C or SIGTERM. The exit code is that of COMMAND.

      COMMAND runs on this machine itself. An argument {hosts} is replaced by the path of a hosts file, with \
      which COMMAND starts ranks on the emulated hosts. Its environment contains:

        CONTEXTURE_HOSTS      the same path
        CONTEXTURE_LINKS      a JSON file: links that the kernel does not emulate

      Before COMMAND starts, a report shows what the kernel emulates and what is left to the transport. \
      Without root, or if namespaces cannot be created, all ranks run on this machine and the transport \
      emulates what it can. docs/cluster.md describes the file.

      EXAMPLE
        contexture cluster emulate Examples/emulated.yaml -- \\
          .build/release/transport-probe launch {hosts} 3 profile
        contexture cluster emulate Examples/emulated.yaml -- bash
        contexture cluster emulate --clean

      \(ExitStatus.manual)
      """)

  @Flag(help: "Only remove what killed emulations have left behind.")
  var clean = false

  @Argument(help: ArgumentHelp("The hosts to emulate.", valueName: "emulated.yaml"))
  var file: String?

  @Argument(
    parsing: .postTerminator, help: ArgumentHelp("The command to run, after '--'.", valueName: "command"))
  var command: [String] = []

  func validate() throws {
    if clean && (file != nil || !command.isEmpty) {
      throw ValidationError("--clean: runs no command; give it alone")
    }
    guard !clean else { return }
    if file == nil { throw ValidationError("no file; name the YAML file that describes the hosts") }
    if command.isEmpty { throw ValidationError("no command; write '--' and the command after the file") }
  }

  func run() throws {
    let environment = ProcessInfo.processInfo.environment
    let machine = Machine(environment: environment, isRoot: geteuid() == 0)
    if clean {
      let names = try machine.removeLeftovers()
      return try Console.print(
        names.isEmpty ? "nothing to remove" : "removed \(names.joined(separator: ", "))")
    }
    guard let file, let name = command.first else { return }
    let cluster = try EmulatedCluster(contentsOf: file)
    guard let program = machine.program(name) else {
      throw Refusal(name, "is not a program", "check its path, or PATH")
    }
    let signals = ForwardedSignals()
    let emulation: Emulation
    do {
      emulation = try Emulation(cluster, on: machine) { signals.last != nil }
    } catch {
      if let number = signals.last { throw ExitCode(128 + number) }
      throw error
    }
    let code: Int32
    do {
      Console.complain(summary(emulation))
      let arguments = [program] + command.dropFirst().map { $0 == "{hosts}" ? emulation.hostsFile : $0 }
      code = try signals.run(arguments, environment: environment.merging(emulation.variables) { $1 })
    } catch {
      try? emulation.stop()
      throw error
    }
    try emulation.stop()
    if code != 0 { throw ExitCode(code) }
  }

  private func summary(_ emulation: Emulation) -> String {
    let plan = emulation.plan
    var rows = [["host", "address", "cpu", "memory", "bandwidth", "delay", "loss"]]
    for (index, host) in plan.cluster.hosts.enumerated() {
      rows.append([
        host.name, plan.subnet?.address(index) ?? "localhost", host.cpu.map(Self.short) ?? "-",
        host.memory.map { "\($0) MiB" } ?? "-", host.link.bandwidth.map { "\(Self.short($0)) Mbit/s" } ?? "-",
        host.link.delay > 0 ? "\(Self.short(host.link.delay)) ms" : "-",
        host.link.loss > 0 ? Self.short(host.link.loss) : "-",
      ])
    }
    let count = plan.cluster.hosts.count
    var lines = ["\(emulation.name): \(count) emulated host\(count == 1 ? "" : "s")"]
    lines += [TextTable.aligned(rows, right: [2, 3, 4, 5, 6])] + plan.labour.lines
    if let agent = emulation.agent { lines.append("to look inside: sh \(agent) HOST COMMAND") }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func short(_ number: Double) -> String {
    Int(exactly: number).map { "\($0)" } ?? "\(number)"
  }
}
