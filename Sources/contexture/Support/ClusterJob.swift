import ArgumentParser
import Checkpoint
import ClusterLaunch
import ContextGear
import Foundation
import Runs

/// Starts this program over the devices of a cluster file and watches over it; goes on over the devices that
/// are left where it is to be elastic.
struct ClusterJob {
  let job: JobOptions

  /// How long a host is given to answer, in seconds.
  private static let patience = 5.0

  /// Runs to the end.
  ///
  /// - Parameters:
  ///   - arguments: of the ranks, but for the cluster file and `--resume`.
  ///   - run: the run folder, on this machine.
  func run(arguments: [String], resume: Bool, into run: RunFolder) throws {
    guard let path = job.cluster else { preconditionFailure("no cluster to start on") }
    var cluster = try job.readCluster()
    var clusterPath = path
    var resume = resume
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("contexture-cluster-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let interrupts = Interrupts(stopping: "Stopping at the next checkpoint")
    while true {
      let began = Date()
      do {
        return try start(
          cluster, arguments: arguments + ["--cluster", clusterPath] + (resume ? ["--resume"] : []), interrupts)
      } catch let failure as JobFailure {
        guard job.elastic, !interrupts.requested else {
          Console.complain("contexture: \(failure)")
          throw ExitCode(ExitStatus.jobFailed)
        }
        Console.complain("contexture: \(failure); looking for the devices that are left")
        let left = try remaining(cluster, after: failure)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("cluster.yaml")
        try AtomicFile.write(try left.yaml(), to: file)
        Console.complain(
          "contexture: going on over \(left.devices.map(\.name).joined(separator: ", ")) from "
            + (run.hasCheckpoint ? "the last checkpoint" : "the start")
            + String(format: "; failed after %.1f s", Date().timeIntervalSince(began)))
        (cluster, clusterPath, resume) = (left, file.path, run.hasBegun)
      }
    }
  }

  private func start(_ cluster: Cluster, arguments: [String], _ interrupts: Interrupts) throws {
    let (hosts, order) = try cluster.hosts()
    guard order == Array(order.indices) else {
      throw InputError(
        place: "devices", problem: "those of one host do not stand together",
        remedy: "list a host's devices one after the other in the cluster file")
    }
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    var command = try MPIRunCommand(
      hosts: hosts, ranks: cluster.devices.count, program: [program] + arguments)
    let environment = ProcessInfo.processInfo.environment
    command.variables = ["CONTEXTURE_LINKS"].filter { environment[$0] != nil }
    var hasComplained = false
    var outputError: (any Error)?
    do {
      try Supervisor(command, environment: environment).run(isStopping: { interrupts.requested }) {
        line, isError in
        guard isError else {
          do { try Console.print(line) } catch { outputError = outputError ?? error }
          return
        }
        hasComplained = hasComplained || line.hasPrefix("contexture: ")
        Console.complain(line)
      }
    } catch let failure as JobFailure {
      // A rank that refuses its input, or that stopped at a checkpoint, has said so itself.
      if hasComplained, failure.exitCode == ExitStatus.wrongInput { throw ExitCode(ExitStatus.wrongInput) }
      if failure.exitCode == ExitStatus.interrupted { throw ExitCode(ExitStatus.interrupted) }
      throw failure
    }
    if let outputError { throw outputError }
  }

  /// The devices whose hosts still answer, without the rank that failed where its host cannot be told apart.
  private func remaining(_ cluster: Cluster, after failure: JobFailure) throws -> Cluster {
    var left: [Int] = []
    var answers: [String: Bool] = [:]
    for (index, device) in cluster.devices.enumerated() {
      let host = device.host ?? "localhost"
      let answer = answers[host] ?? HostProbe(remoteShell: cluster.launch?.remoteShell, patience: Self.patience).answers(host)
      answers[host] = answer
      if answer { left.append(index) }
    }
    // Every host answers: the failed rank's process is what is broken, and the device may serve again.
    guard !left.isEmpty else {
      throw InputError(
        place: job.cluster ?? "", problem: "no host answers any more",
        remedy: "bring a host back and resume with --resume")
    }
    if left.count == cluster.devices.count, let rank = failure.rank, left.count > 1, rank != 0 {
      left.removeAll { $0 == rank }
    }
    return cluster.subset(left)
  }
}
