import ClusterLaunch
import Testing

/// Output of Open MPI 4.1.4, and what is read from it.
@Suite struct MPIRunReportTests {
  private static let dashes = String(repeating: "-", count: 74)

  private func failure(_ text: String, exitCode: Int32 = 1) throws -> (failure: String, passedOn: [String]) {
    let hosts = try Hosts(
      yaml: "hosts: [{name: a, address: 10.0.0.1, slots: 2}, {name: b, address: 10.0.0.2}]", file: "h")
    var report = MPIRunReport()
    let passedOn = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).filter {
      !report.take($0, isError: true)
    }
    return (report.failure(exitCode: exitCode, hosts: hosts).description, passedOn)
  }

  @Test func aKilledRank() throws {
    let (failure, passedOn) = try failure(
      """
      a rank's own line
      [vm][[23072,1],1][../btl_tcp.c:559:mca_btl_tcp_recv_blocking] \(Self.dashes)
      recv(17) failed: Connection reset by peer (104)
      mpirun noticed that process rank 2 with PID 0 on node 10.0.0.2 exited on signal 9 (Killed).
      \(Self.dashes)
      and another
      """, exitCode: 137)
    #expect(failure == "rank 2 on host 'b': was killed by signal 9 (Killed)")
    #expect(passedOn == ["a rank's own line", "and another"])
  }

  @Test func aRankThatEndsWithAnError() throws {
    let (failure, passedOn) = try failure(
      """
      \(Self.dashes)
      Primary job  terminated normally, but 1 process returned
      a non-zero exit code. Per user-direction, the job has been aborted.
      \(Self.dashes)
      \(Self.dashes)
      mpirun detected that one or more processes exited with non-zero status, thus causing
      the job to be terminated. The first process to do so was:

        Process name: [[16783,1],1]
        Exit code:    7
      \(Self.dashes)
      """, exitCode: 7)
    #expect(failure == "rank 1 on host 'a': ended with exit code 7")
    #expect(passedOn == [])
  }

  /// mpirun reports that it could not start daemons, but not which.
  @Test func aHostWhoseRemoteShellEnds() throws {
    let (failure, passedOn) = try failure(
      """
      remote shell to 10.0.0.2 ended with exit code 255
      \(Self.dashes)
      ORTE was unable to reliably start one or more daemons.
      \(Self.dashes)
      remote shell to 10.0.0.1 ended with exit code 137
      """)
    #expect(
      failure.hasPrefix("host 'b': the remote shell to it ended with exit code 255; check that it is on"))
    #expect(passedOn == [])
  }

  /// After a failure, mpirun itself ends the shells.
  @Test func remoteShellsThatEndAfterwards() throws {
    let (failure, _) = try failure(
      """
      remote shell to 10.0.0.2 ended with exit code 137
      \(Self.dashes)
      mpirun noticed that process rank 0 with PID 0 on node 10.0.0.1 exited on signal 9 (Killed).
      \(Self.dashes)
      """)
    #expect(failure == "rank 0 on host 'a': was killed by signal 9 (Killed)")
  }

  /// The ranks' own messages count, even if mpirun's come first, and the ranks that mpirun then kills did not
  /// die first.
  @Test func anAbort() throws {
    let abort = """
      \(Self.dashes)
      MPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD
      with errorcode 3.
      \(Self.dashes)
      mpirun noticed that process rank 1 with PID 0 on node vm exited on signal 9 (Killed).
      [vm:09145] 1 more process has sent help message help-mpi-api.txt / mpi-abort
      """
    #expect(try failure(abort).failure == "rank 0 on host 'a': ended the job")
    #expect(
      try failure(
        abort + #"\#nhalf a line@abort {"rank":0,"message":"no"}\#n@abort {"rank":1,"message":"too"}"#
      ).failure
        == "rank 0 on host 'a': no")
  }

  @Test func aLostHost() throws {
    let (failure, _) = try failure(
      """
      \(Self.dashes)
      ORTE has lost communication with a remote daemon.

        HNP daemon   : [[17911,0],0] on node vm
        Remote daemon: [[17911,0],2] on node 10.0.0.2
      \(Self.dashes)
      """, exitCode: 205)
    #expect(failure == "host 'b': the connection to it was lost")
  }

  @Test func aHostThatIsNotReached() throws {
    let (failure, passedOn) = try failure(
      """
      ssh: connect to host 10.0.0.2 port 22: Connection refused
      \(Self.dashes)
      ORTE was unable to reliably start one or more daemons.
      This usually is caused by:

      * not finding the required libraries and/or binaries on
        one or more nodes.
      \(Self.dashes)
      """, exitCode: 255)
    #expect(
      failure.hasPrefix(
        "mpirun ended with exit code 255: ORTE was unable to reliably start one or more daemons."))
    #expect(passedOn == ["ssh: connect to host 10.0.0.2 port 22: Connection refused"])
  }

  @Test func aRankThatDiedBeforeItHadJoined() throws {
    let text = """
      \(Self.dashes)
      Primary job  terminated normally, but 1 process returned
      a non-zero exit code. Per user-direction, the job has been aborted.
      \(Self.dashes)
      """
    #expect(
      try failure(text, exitCode: 137).failure
        == "a rank was killed by signal 9 before it joined the job")
    #expect(try failure("", exitCode: 9).failure == "a rank ended with exit code 9")
  }
}
