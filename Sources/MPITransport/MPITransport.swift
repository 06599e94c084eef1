import COpenMPI
import Foundation
import Transport

/// A job whose ranks are processes started by `mpirun` or `srun`.
///
/// One thread makes every MPI call (`MPI_THREAD_FUNNELED`), so that messages move while the others compute:
/// MPI itself makes progress only inside its calls. The thread polls with pauses that grow while nothing
/// happens, and sleeps when nothing is in flight. Ranks send each other heartbeats, so that a stopped process
/// or a cut link ends the job even if no rank is waiting for it.
///
/// A message longer than 1 GiB must be received into a buffer of exactly its length: it is split into parts,
/// because MPI counts bytes in an `int`.
package final class MPITransport: Transport {
  /// This process's rank.
  package let rank: Int
  /// The number of ranks in the job.
  package let size: Int
  private let thread: CommunicationThread

  /// The settings of the transport.
  package struct Options: Sendable {
    /// The time between the heartbeats that each rank sends to the next one. Default: 1 s.
    package var heartbeatInterval = Duration.seconds(1)
    /// A rank that is silent for this long ends the job. Default: 5 s.
    package var heartbeatSilence = Duration.seconds(5)
    /// The exit code of this process if another rank was silent. Default: 1.
    package var silenceExitCode: Int32 = 1
    /// The maximum time for all ranks to start. Default: 60 s.
    package var startTimeout = Duration.seconds(60)
    /// The maximum number of bytes in one MPI message. Default: 1 GiB.
    package var largestPart = 1 << 30

    package init() {}
  }

  /// Joins the job that this process was started in. MPI can be started only once per process.
  ///
  /// - Parameters:
  ///   - expectedSize: the number of ranks that the launcher reports; `nil` if it reports none.
  ///   - options: timeouts and heartbeats.
  ///   - report: receives what to print before this rank ends the job; called on another thread.
  /// - Throws: `TransportError.cannotStart` if MPI's implementation or version differs from the build, the
  ///   job does not have the expected size, or not all ranks start in time.
  package init(
    expectedSize: Int? = nil, options: Options = Options(),
    report: @escaping @Sendable (AbortNotice) -> Void
  ) throws(TransportError) {
    try MPIMake.check()
    let thread = CommunicationThread(options: options, report: report)
    guard let joined = thread.joined.wait(timeout: options.startTimeout) else {
      throw .cannotStart(
        problem: "MPI has not started within \(options.startTimeout)",
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

  package func start(_ transfer: Transfer) { thread.order(.start(transfer)) }

  /// Ends the job on all ranks, including this process. Returns only if MPI has not done so within 5 s.
  package func abort(_ message: String, blaming suspect: Int?, code: Int32) {
    thread.order(.abort(AbortNotice(rank: rank, suspect: suspect, message: message), code))
    _ = thread.finished.wait(timeout: .seconds(5))
  }

  /// Leaves the job once all ranks have called this. Cancels receives that have not met a message.
  ///
  /// - Parameter timeout: that for all ranks to call this.
  package func close(timeout: Duration) throws(TransportError) {
    try barrier(timeout: timeout)
    thread.order(.finish)
    guard thread.finished.wait(timeout: timeout) != nil else {
      throw .cannotStart(
        problem: "rank \(rank) could not leave MPI within \(timeout)",
        remedy: "see the messages of the other ranks")
    }
  }
}
