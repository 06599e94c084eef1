import MPITransport
import Testing
import Transport

@Suite struct HeartbeatTests {
  private let start = ContinuousClock.now
  private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

  @Test func beatsAtItsInterval() {
    var heartbeat = Heartbeat(interval: .seconds(1), silence: .seconds(5), now: at(100))
    #expect(heartbeat.look(now: at(100)) == .beat)
    #expect(heartbeat.look(now: at(100.5)) == .nothing)
    #expect(heartbeat.look(now: at(101)) == .beat)
  }

  @Test func silenceIsReportedUnlessSomethingWasHeard() {
    var heartbeat = Heartbeat(interval: .seconds(1), silence: .seconds(5), now: at(0))
    for second in 0...5 { #expect(heartbeat.look(now: at(Double(second))) == .beat) }
    #expect(heartbeat.look(now: at(5.5)) == .silence(.seconds(5.5)))
    heartbeat.heard(now: at(5.6))
    #expect(heartbeat.look(now: at(6)) == .beat)
  }

  @Test func aPauseOfItsOwnSaysNothingAboutOthers() {
    var heartbeat = Heartbeat(interval: .seconds(1), silence: .seconds(5), now: at(0))
    #expect(heartbeat.look(now: at(60)) == .beat)
    #expect(heartbeat.look(now: at(62)) == .beat)
    #expect(heartbeat.look(now: at(64)) == .beat)
    #expect(heartbeat.look(now: at(66)) == .silence(.seconds(6)))
  }
}

@Suite struct MPIMakeTests {
  @Test func theLoadedLibraryIsTheBuildsOwn() throws {
    try MPIMake.check()
  }

  @Test(arguments: [
    ("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4", "Open MPI 4"),
    ("MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7", "MPICH 4"),
  ]) func theSameMakeAndVersionPass(running: String, built: String) throws {
    try MPIMake.check(built: built, running: running)
  }

  @Test(arguments: [
    ("MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7", "MPICH 4.0.2"),
    ("Open MPI v5.0.1, package: x", "Open MPI v5.0.1"),
    ("Intel(R) MPI Library 2021.10 for Linux* OS", "another MPI 2021.10"),
    ("", "another MPI "),
  ]) func othersAreRefused(running: String, name: String) {
    let error = #expect(throws: TransportError.self) {
      try MPIMake.check(built: "Open MPI 4", running: running)
    }
    #expect(
      error?.description == "built for Open MPI 4, but the system has loaded \(name); "
        + "install Open MPI 4 on every host, or build again on this one")
  }
}
