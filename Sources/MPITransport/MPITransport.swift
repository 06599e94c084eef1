import COpenMPI
import Foundation
import Transport

/// A job whose ranks are processes that `mpirun` or `srun` has started.
///
/// One thread owns every MPI call (`MPI_THREAD_FUNNELED`), so that messages move while the others compute:
/// MPI itself makes progress only inside its calls. The thread polls with pauses that grow while nothing
/// happens, and sleeps when nothing is in flight. Ranks send each other heartbeats, so that a stopped process
/// or a cut link ends the job even where nobody waits for it.
///
/// A message longer than 1 GiB must be received into a buffer of exactly its length: it is cut into parts,
/// because MPI counts bytes in an `int`.
package final class MPITransport: Transport {
  /// This process's number.
  package let rank: Int
  /// The number of ranks in the job.
  package let size: Int
  private let thread: CommunicationThread

  /// How the message layer behaves.
  package struct Options: Sendable {
    /// Seconds between heartbeats; each rank sends them to the next one. Default: 1.
    package var heartbeatInterval = 1.0
    /// A rank that was silent for so many seconds ends the job. Default: 5.
    package var heartbeatSilence = 5.0
    /// What the process exits with where another rank was silent. Default: 1.
    package var silenceExitCode: Int32 = 1
    /// The longest time in seconds for all ranks to start. Default: 60.
    package var startDeadline = 60.0
    /// Bytes in one MPI message at most. Default: 1 GiB.
    package var largestPart = 1 << 30

    /// The defaults.
    package init() {}
  }

  /// Joins the job that this process was started in. MPI can be started once in a process.
  ///
  /// - Parameters:
  ///   - expectedSize: the number of ranks the launcher says it has started; `nil` when it says nothing.
  ///   - options: deadlines and heartbeats.
  ///   - report: is given the line to print before this rank ends the job, on another thread.
  /// - Throws: `TransportError.cannotStart` when MPI is of another make or version than at build, the job has
  ///   not the expected size, or not all ranks come.
  package init(
    expectedSize: Int? = nil, options: Options = Options(), report: @escaping @Sendable (String) -> Void
  ) throws(TransportError) {
    try MPIMake.check()
    let thread = CommunicationThread(options: options, report: report)
    guard let joined = thread.joined.wait(seconds: options.startDeadline) else {
      throw .cannotStart(
        problem: "MPI has not started within \(options.startDeadline) s",
        remedy: "check that the hosts reach each other over the network given to mpirun")
    }
    (rank, size) = try joined.get()
    self.thread = thread
    if let expectedSize, expectedSize != size {
      throw .cannotStart(
        problem: "the launcher started \(expectedSize) ranks, but \(MPIMake.built) joined only \(size)",
        remedy: "start with the mpirun of \(MPIMake.built), or srun --mpi=pmix")
    }
  }

  /// Sets a transfer going.
  package func start(_ transfer: Transfer) { thread.order(.start(transfer)) }

  /// Ends the job on all ranks, this process included; returns only if MPI did not do so within 5 s.
  package func abort(_ message: String, blaming suspect: Int?, code: Int32) {
    thread.order(.abort(AbortNotice(rank: rank, suspect: suspect, message: message), code))
    _ = thread.finished.wait(seconds: 5)
  }

  /// Leaves the job once all ranks have come here. Receives that have met no message are called off.
  ///
  /// - Parameter seconds: the deadline for all ranks to come.
  package func close(seconds: Double) throws(TransportError) {
    try barrier(seconds: seconds)
    thread.order(.finish)
    guard thread.finished.wait(seconds: seconds) != nil else {
      throw .cannotStart(
        problem: "rank \(rank) could not leave MPI within \(seconds) s",
        remedy: "see what the other ranks say")
    }
  }
}
