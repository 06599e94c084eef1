import ClusterLaunch
import Testing

/// Which places continue after a failure.
@Suite struct JobRecoveryTests {
  /// Three hosts; the first has two devices.
  private static let places = [("a1", "10.0.0.1"), ("a2", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3")]
    .map { Hosts.Place(name: $0.0, address: $0.1) }
  private static let separate = [("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3")]
    .map { Hosts.Place(name: $0.0, address: $0.1) }

  private func failure(rank: Int? = nil, suspect: Int? = nil, host: String? = nil) -> JobFailure {
    JobFailure(rank: rank, suspect: suspect ?? rank, host: host, reason: "it failed", exitCode: 1)
  }

  private func after(
    _ failure: JobFailure, _ places: [Hosts.Place], silent: Set<String> = [], seesFiles: Bool = true
  ) -> JobRecovery.Decision {
    var recovery = JobRecovery(places)
    return recovery.goOn(after: failure, silent: silent, beganAt: nil, seesFiles: seesFiles)
  }

  @Test func theRankThatFailedIsLeftOut() {
    #expect(after(failure(rank: 2), Self.places) == .goOn([0, 1, 3]))
    #expect(after(failure(rank: 3, suspect: 2), Self.places) == .goOn([0, 1, 3]))
    #expect(after(failure(host: "b"), Self.places) == .goOn([0, 1, 3]))
    #expect(after(failure(host: "10.0.0.3"), Self.places) == .goOn([0, 1, 2]))
  }

  @Test func hostsThatDoNotAnswerAreLeftOut() {
    #expect(after(failure(), Self.places, silent: ["10.0.0.2", "10.0.0.3"]) == .goOn([0, 1]))
    #expect(after(failure(rank: 2), Self.places, silent: ["10.0.0.3"]) == .goOn([0, 1]))
  }

  @Test func aFailureOfNobodyCostsNobody() {
    #expect(after(failure(), Self.places) == .goOn([0, 1, 2, 3]))
  }

  /// The first device's machine has the run's files: another device of it takes over, or it is used again.
  @Test func theFirstDeviceIsReplacedByOneOfItsMachine() {
    #expect(after(failure(rank: 0), Self.places) == .goOn([1, 2, 3]))
    #expect(after(failure(rank: 0), Self.separate) == .goOn([0, 1, 2]))
    #expect(after(failure(host: "10.0.0.1"), Self.places) == .goOn([0, 2, 3]))
    #expect(after(failure(rank: 0), [Self.separate[0]]) == .goOn([0]))
  }

  @Test func theFirstHostMayGoWhereItsFilesAreWithinReach() {
    #expect(after(failure(rank: 1), Self.separate, silent: ["10.0.0.1"]) == .goOn([2]))
    #expect(
      after(failure(rank: 1), Self.separate, silent: ["10.0.0.1"], seesFiles: false)
        == .giveUp(
          remedy: "the run folder is on a, which does not answer; bring it back, then continue with "
            + "--resume"))
  }

  @Test func nobodyIsLeft() {
    let decision = after(failure(rank: 0), Self.separate, silent: Set(Self.separate.map(\.address)))
    #expect(
      decision == .giveUp(remedy: "no host answers any more; bring one back, then continue with --resume"))
    // The only host that answers is that of the failed rank.
    #expect(after(failure(rank: 1), Self.separate, silent: ["10.0.0.1", "10.0.0.3"]) == .goOn([1]))
  }

  @Test func failuresWithoutProgressEndIt() {
    var recovery = JobRecovery(Self.separate)
    func fail(beganAt step: Int?, silent: Set<String> = []) -> Bool {
      let decision = recovery.goOn(after: failure(rank: 0), silent: silent, beganAt: step, seesFiles: true)
      if case .giveUp = decision { return false }
      return true
    }
    #expect(fail(beganAt: nil) && fail(beganAt: 4) && fail(beganAt: nil))
    // Progress, then a lost host, which explains a failure.
    #expect(fail(beganAt: 8) && fail(beganAt: 8) && fail(beganAt: 8, silent: ["10.0.0.3"]))
    #expect(recovery.places.map(\.name) == ["a", "b"])
    #expect(fail(beganAt: 8) && !fail(beganAt: 8))
  }
}
