import ClusterLaunch
import Foundation
import MPITransport
import Synchronization
import Transport

/// Measures and checks the message layer under `mpirun`; for development.
@main
struct TransportProbe {
  static let usage = """
    usage: mpirun -n N transport-probe [--part BYTES] [--deadline S] [--silence S] MODE
           transport-probe launch HOSTS.yaml RANKS [OPTIONS] MODE
      check      messages of many sizes between all ranks, and the collective operations
      profile    latency and bandwidth of every link
      long B     rank 0 sends B bytes to rank 1 in one message
      fit S R    rank 0 sends S bytes to rank 1, which takes R bytes at most
      overlap S  rank 0 sends 4 MB and computes S seconds; rank 1 checks that they arrive meanwhile
      idle S     rank 1 sends after S seconds; rank 0 sees that its wait took little processor time
      ring       every rank prints its process and hears from the previous one, for ever
      quit       the last rank ends with exit code 7, the others wait for it
      watch      every rank prints its process and sends nothing, for an hour
    """

  static func main() {
    // Otherwise a neighbour of a killed rank may die of it, and be named in its place.
    signal(SIGPIPE, SIG_IGN)
    do {
      try run(Array(CommandLine.arguments.dropFirst()))
    } catch {
      say("transport-probe: \(error)", isError: true)
      exit(2)
    }
  }

  static func run(_ arguments: [String]) throws {
    if arguments.first == "launch", arguments.count >= 4, let ranks = Int(arguments[2]) {
      exit(try launch(hosts: arguments[1], ranks: ranks, Array(arguments.dropFirst(3))))
    }
    var options = MPITransport.Options()
    var timeout = Duration.seconds(30)
    var rest = arguments[...]
    while let option = rest.first, option.hasPrefix("--"), rest.count > 1,
      let value = Double(rest[rest.startIndex + 1])
    {
      switch option {
      case "--part": options.largestPart = Int(value)
      case "--deadline": timeout = .seconds(value)
      case "--silence": options.heartbeatSilence = .seconds(value)
      default: throw ProbeError(description: "unknown option \(option)\n\(usage)")
      }
      rest = rest.dropFirst(2)
    }
    guard let mode = rest.first else { throw ProbeError(description: usage) }
    let environment = ProcessInfo.processInfo.environment
    let job = try JobEnvironment.detect(environment)
    let transport = try MPITransport(expectedSize: job?.size, options: options) {
      say($0.line(forSupervisor: Supervisor.hasStarted(environment)), isError: true)
    }
    // Links that the ranks of an emulated cluster emulate because its kernel does not.
    let links = try environment[LinkTable.variable].map { try LinkTable(contentsOf: $0) }
    let shaped = links.map { ShapedTransport(transport, links: $0.outgoing(from: transport.rank)) }
    let probe = Probe(transport: shaped ?? transport, timeout: timeout)
    do {
      switch mode {
      case "check": try probe.check(largestPart: options.largestPart)
      case "profile": try probe.profile()
      case "long": try probe.long(bytes: rest.dropFirst().first.flatMap { Int($0) } ?? 1 << 20)
      case "fit": try probe.fit(rest.dropFirst().compactMap { Int($0) })
      case "overlap": try probe.overlap(for: .seconds(rest.dropFirst().first.flatMap(Double.init) ?? 2))
      case "idle": try probe.idle(for: .seconds(rest.dropFirst().first.flatMap(Double.init) ?? 2))
      case "ring": try probe.ring()
      case "quit": try probe.quit()
      case "watch": probe.watch()
      default: throw ProbeError(description: "unknown mode '\(mode)'")
      }
      try transport.close(timeout: timeout)
    } catch {
      transport.abort("\(error)", code: 3)
      throw error
    }
  }

  /// Set by a signal that asks the launcher to end.
  static let isCancelled = Atomic<Bool>(false)

  /// Starts this program on the hosts and supervises it.
  static func launch(hosts: String, ranks: Int, _ arguments: [String]) throws -> Int32 {
    let command = try MPIRunCommand(
      hosts: try Hosts(contentsOf: hosts), ranks: ranks,
      program: [URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path] + arguments)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in TransportProbe.isCancelled.store(true, ordering: .relaxed) }
    }
    do {
      try Supervisor(command, environment: ProcessInfo.processInfo.environment).run {
        isCancelled.load(ordering: .relaxed)
      } onLine: { line, isError in
        say(line, isError: isError)
      }
      return 0
    } catch let failure as JobFailure {
      say("transport-probe: \(failure)", isError: true)
      return 1
    }
  }
}

struct ProbeError: Error, CustomStringConvertible { let description: String }

/// Writes a line without buffering.
func say(_ line: String, isError: Bool = false) {
  let handle: FileHandle = isError ? .standardError : .standardOutput
  handle.write(Data((line + "\n").utf8))
}
