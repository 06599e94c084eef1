import ClusterLaunch
import Foundation

/// Runs the built `transport-probe` under mpirun on this machine.
struct ProbeRun {
  /// The ranks' output, and how the job ended.
  private(set) var lines: [String] = []
  private(set) var failure: JobFailure?
  /// The ranks' process IDs, if they print them, by rank.
  private(set) var processes: [Int: pid_t] = [:]
  /// Seconds from `onStart` to the end.
  private(set) var secondsToEnd = 0.0

  /// In the folder of the test bundle, because one build makes both.
  static let probe = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("transport-probe").path

  /// How the ranks are connected.
  enum Link: String, CaseIterable {
    case sharedMemory = ""
    case tcp = "network: 127.0.0.0/8"
  }

  /// - Parameter onStart: called once, when every rank has printed its process ID.
  init(
    _ arguments: [String], ranks: Int, over link: Link, onStart: ([Int: pid_t]) -> Void = { _ in }
  ) throws {
    let hosts = try Hosts(
      yaml: "\(link.rawValue)\nhosts: [{name: here, address: localhost, slots: \(ranks)}]", file: "hosts.yaml"
    )
    let command = try MPIRunCommand(hosts: hosts, ranks: ranks, program: [Self.probe] + arguments)
    let supervisor = try Supervisor(command, environment: ProcessInfo.processInfo.environment)
    let clock = ContinuousClock()
    var start = clock.now
    do {
      try supervisor.run { line, _ in
        lines.append(line)
        guard let match = line.wholeMatch(of: /rank (\d+) is process (\d+)/), let rank = Int(match.1) else {
          return
        }
        processes[rank] = pid_t(match.2)
        if processes.count == ranks {
          start = clock.now
          onStart(processes)
        }
      }
    } catch let error as JobFailure {
      failure = error
    }
    secondsToEnd = (clock.now - start) / .seconds(1)
  }

  /// The ranks' processes that still run. A process that is already ending, without memory, is given 2 s.
  var left: [pid_t] {
    for _ in 0..<100 where processes.values.contains(where: JobProcesses.isRunning) {
      Thread.sleep(forTimeInterval: 0.02)
    }
    return processes.values.filter(JobProcesses.isRunning)
  }
}
