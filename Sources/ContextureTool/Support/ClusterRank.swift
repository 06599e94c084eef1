import ArgumentParser
import ClusterLaunch
import Foundation
import InputErrors
import MPITransport
import Transport

/// This process as one rank of a job started by mpirun or srun.
struct ClusterRank {
  let place: JobEnvironment

  /// Joins the job, does the work, and leaves. An error of the work ends the whole job: with the exit code
  /// for wrong input if that is the cause, and with that of a failed job if communication failed.
  ///
  /// - Parameter share: the number of processors for this rank.
  func run(_ work: (_ transport: any Transport, _ share: Int) throws -> Void) throws {
    let environment = ProcessInfo.processInfo.environment
    let base = try MPITransport(expectedSize: place.size, options: .ofAJob) { Console.complain($0) }
    var transport: any Transport = base
    var end: (any Error)?
    do {
      if let path = environment[LinkTable.variable] {
        let table = try LinkTable(contentsOf: path)
        transport = ShapedTransport(base, links: table.outgoing(from: base.rank))
      }
      do {
        try work(transport, share(environment))
      } catch let status as ExitCode {
        end = status
      } catch let refusal as JobRefusal {
        // Every rank has this refusal; one reports it.
        end = base.rank == 0 ? refusal : ExitCode(ExitStatus.wrongInput)
      }
      try base.close(timeout: .seconds(30))
    } catch let error as TransportError {
      transport.abort("\(error)", blaming: error.suspect, code: ExitStatus.jobFailed)
      throw ExitCode(ExitStatus.jobFailed)
    } catch {
      let code = error is any InputError ? ExitStatus.wrongInput : ExitStatus.jobFailed
      transport.abort("\(error)", code: code)
      throw ExitCode(code)
    }
    if let end { throw end }
  }

  private func share(_ environment: [String: String]) -> Int {
    let ranks =
      ["OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE"].compactMap { environment[$0] }
      .compactMap { Int($0) }.first ?? 1
    return max(1, ProcessInfo.processInfo.activeProcessorCount / max(ranks, 1))
  }
}

extension Console {
  /// Prints why this rank ends its job.
  static func complain(_ notice: AbortNotice) {
    let isSupervised = Supervisor.hasStarted(ProcessInfo.processInfo.environment)
    complain(notice.line(forSupervisor: isSupervised))
  }
}

extension MPITransport.Options {
  /// A silent rank fails the job, whoever started it.
  static var ofAJob: MPITransport.Options {
    var options = MPITransport.Options()
    options.silenceExitCode = ExitStatus.jobFailed
    return options
  }
}
