import ArgumentParser
import ClusterLaunch
import ContextGear
import Foundation
import InputErrors
import Runs

/// Starts this program over the devices of a cluster file and supervises it. If the job is elastic, it
/// continues over the remaining devices after a failure.
struct ClusterJob {
  /// How ranks start.
  private enum Start: String {
    case anew
    case resumed = "--resume"
    /// For a run folder on another host, which the launcher cannot see.
    case resumedIfBegun = "--resume-if-begun"
  }

  private let job: JobOptions
  private let run: RunFolder
  private let arguments: (JobOptions) -> [String]

  /// - Parameters:
  ///   - run: the run folder, as this machine sees it.
  ///   - arguments: the arguments of the ranks, except how to start.
  init(job: JobOptions, run: RunFolder, arguments: @escaping (JobOptions) -> [String]) {
    (self.job, self.run, self.arguments) = (job, run, arguments)
  }

  /// Timeout for hosts to answer, in seconds.
  private static let patience = 5.0

  func run(resume: Bool) throws {
    var (job, cluster) = (job, try job.readCluster())
    let deviceCount = cluster.devices.count
    var recovery = JobRecovery(try cluster.places())
    var start = resume ? Start.resumed : .anew
    let interrupts = Interrupts(stopping: "Stopping at the next checkpoint")
    while true {
      var beganAt: Int?
      do {
        let all = arguments(job) + (start == .anew ? [] : [start.rawValue])
        return try self.start(cluster, arguments: all, interrupts) { report in
          beganAt = beganAt ?? report.resumedAfterStep
        }
      } catch let failure as JobFailure {
        let isElastic = job.elastic && !interrupts.requested
        // If no rank or host is named, look for hosts that do not answer.
        let isUnexplained = failure.rank == nil && failure.host == nil
        let silent =
          isElastic || isUnexplained
          ? HostProbe(remoteShell: cluster.launch?.remoteShell, patience: Self.patience)
            .silent(recovery.places) : []
        let reason = isUnexplained && !silent.isEmpty ? text(silent, recovery.places) : "\(failure)"
        guard isElastic else {
          Console.complain(
            inOneLine: "contexture: \(reason)"
              + (run.hasBegun ? "; resume from the last checkpoint with --resume" : ""))
          throw ExitCode(ExitStatus.jobFailed)
        }
        switch recovery.goOn(
          after: failure, silent: silent, beganAt: beganAt, seesFiles: run.hasBegun)
        {
        case .giveUp(let remedy):
          Console.complain(inOneLine: "contexture: \(reason); \(remedy)")
          throw ExitCode(ExitStatus.jobFailed)
        case .goOn(let left):
          cluster = cluster.subset(left)
          Console.complain(
            inOneLine:
              "contexture: \(reason); continuing over \(recovery.places.map(\.name).joined(separator: ", "))")
          // The given plan is for other devices.
          if left.count < deviceCount { job.plan = nil }
          start = run.hasBegun ? .resumed : .resumedIfBegun
        }
      }
    }
  }

  /// Lists the hosts that do not answer, in one line.
  private func text(_ silent: Set<String>, _ places: [Hosts.Place]) -> String {
    let names = places.filter { silent.contains($0.address) }.map { "\($0.name) at \($0.address)" }
    return "no answer from \(names.joined(separator: ", ")); check that it is on, and that a remote shell "
      + "reaches it without a password"
  }

  private func start(
    _ cluster: Cluster, arguments: [String], _ interrupts: Interrupts,
    onReport: (RankReport) -> Void
  ) throws {
    let (hosts, order) = try cluster.hosts()
    guard order == Array(order.indices) else {
      throw Refusal(
        "devices", "those of one host are not listed together",
        "list a host's devices one after the other in the cluster file")
    }
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    var command = try MPIRunCommand(
      hosts: hosts, ranks: cluster.devices.count, program: [program] + arguments)
    var environment = ProcessInfo.processInfo.environment
    let handed = try HandedCluster.variables(cluster)
    for (name, value) in handed { environment[name] = value }
    command.variables = ["CONTEXTURE_LINKS"].filter { environment[$0] != nil } + handed.map(\.name)
    var hasComplained = false
    // Ranks handle signals before they print anything; earlier signals would kill them.
    var isUp = false
    var outputError: (any Error)?
    do {
      try Supervisor(command, environment: environment).run(isStopping: { isUp && interrupts.requested }) {
        line, isError in
        guard isError else {
          isUp = true
          let report = RankReport(line: line)
          if let report { onReport(report) }
          do { try Console.report(report?.text ?? line) } catch { outputError = outputError ?? error }
          return
        }
        hasComplained = hasComplained || line.hasPrefix("contexture: ")
        Console.complain(line)
      }
    } catch let failure as JobFailure {
      switch failure.exitCode {
      case ExitStatus.interrupted: throw ExitCode(ExitStatus.interrupted)
      case ExitStatus.wrongInput:
        // Ranks that refuse together have reported why; for one that gave up by itself, report it here.
        if !hasComplained { Console.complain(inOneLine: "contexture: \(failure)") }
        throw ExitCode(ExitStatus.wrongInput)
      default: throw failure
      }
    }
    if let outputError { throw outputError }
  }
}
