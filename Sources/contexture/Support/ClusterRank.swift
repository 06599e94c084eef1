import ArgumentParser
import ClusterLaunch
import Foundation
import MPITransport
import Runs
import Transport

/// This process as one rank of a job that mpirun or srun has started.
struct ClusterRank {
  let job: JobOptions
  let place: JobEnvironment

  /// Joins the job, does the work, and leaves. An error of the work ends with its exit code on every rank;
  /// a failure of another rank, or of a message, ends the whole job.
  func run(_ work: (_ transport: any Transport, _ workers: Int) throws -> Void) throws {
    let environment = ProcessInfo.processInfo.environment
    let base = try MPITransport(expectedSize: place.size) { Console.complain($0) }
    var transport: any Transport = base
    if let path = environment[LinkTable.variable] {
      let table = try LinkTable(contentsOf: path)
      transport = ShapedTransport(base, links: table.outgoing(from: base.rank))
    }
    var failure: (any Error)?
    do {
      try work(transport, try workers(environment))
    } catch let error as TransportError {
      transport.abort("\(error)", code: ExitStatus.jobFailed)
      throw error
    } catch let status as ExitCode {
      failure = status
    } catch let refusal as JobRefusal {
      // All ranks know of it; one says it.
      failure = base.rank == 0 ? refusal : ExitCode(ExitStatus.wrongInput)
    } catch {
      transport.abort("\(error)", code: ExitStatus.jobFailed)
      throw error
    }
    try base.close(seconds: 30)
    if let failure { throw failure }
  }

  /// The threads of this rank.
  private func workers(_ environment: [String: String]) throws -> Int {
    if let workers = job.workers { return workers }
    let devices = try job.readCluster().devices
    if place.rank < devices.count, let workers = devices[place.rank].workers { return workers }
    let ranks = ["OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE"].compactMap { environment[$0] }
      .compactMap { Int($0) }.first ?? 1
    return max(1, ProcessInfo.processInfo.activeProcessorCount / max(ranks, 1))
  }
}
