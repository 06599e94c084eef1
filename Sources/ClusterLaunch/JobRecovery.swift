/// Decides what to do after a job has failed: which devices the next job runs on, and whether to continue at
/// all. It does no I/O: the caller reports what happened.
package struct JobRecovery: Sendable {
  /// What to do.
  package enum Decision: Sendable, Equatable {
    /// Start again on these places, given as indices into the previous `places`.
    case goOn([Int])
    /// Stop; with advice for the user.
    case giveUp(remedy: String)
  }

  /// The number of failures in a row, with no step gained between them and no host lost, after which a job is
  /// given up.
  package static let patience = 3

  /// Where the ranks of the next job run.
  package private(set) var places: [Hosts.Place]
  private var failures = 0
  private var lastStart = 0

  /// A job whose ranks run at `places`; the first place has the run's files.
  package init(_ places: [Hosts.Place]) { self.places = places }

  /// Drops the places that a failure has cost.
  ///
  /// - Parameters:
  ///   - failure: how the job ended.
  ///   - silent: addresses of hosts that do not answer.
  ///   - beganAt: the step from which the failed job resumed; `nil` if it started from the beginning, or
  ///     ended before that.
  ///   - seesFiles: whether this machine can reach the run's files, so that the first place is not needed.
  package mutating func goOn(
    after failure: JobFailure, silent: Set<String>, beganAt: Int?, seesFiles: Bool
  ) -> Decision {
    let gone = Set(places.indices.filter { silent.contains(places[$0].address) })
    let start = beganAt ?? lastStart
    failures = start > lastStart || !gone.isEmpty ? 1 : failures + 1
    lastStart = start
    guard failures < Self.patience else {
      return .giveUp(
        remedy:
          "gave up after \(failures) failures without a new checkpoint; find the cause, then continue with "
          + "--resume")
    }
    guard gone.count < places.count else {
      return .giveUp(remedy: "no host answers any more; bring one back, then continue with --resume")
    }
    guard !gone.contains(0) || seesFiles else {
      return .giveUp(
        remedy:
          "the run folder is on \(places[0].name), which does not answer; bring it back, then continue with "
          + "--resume")
    }
    let answering = places.indices.filter { !gone.contains($0) }
    let failed = failed(failure)
    var left = answering.filter { !failed.contains($0) }
    // The run's files stay within reach of the first rank.
    if !gone.contains(0), left.first != 0, left.first.map({ places[$0].address }) != places[0].address {
      left.insert(0, at: 0)
    }
    if left.isEmpty { left = answering }
    places = left.map { places[$0] }
    return .goOn(left)
  }

  /// The places that the failure itself names.
  private func failed(_ failure: JobFailure) -> Set<Int> {
    if let rank = failure.suspect { return [rank] }
    guard let host = failure.host else { return [] }
    return Set(places.indices.filter { places[$0].name == host || places[$0].address == host })
  }
}
