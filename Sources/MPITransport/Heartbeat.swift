/// Decides when to send a heartbeat to the next rank, and when the previous one has been silent for too long.
///
/// It has no clock and sends no messages: the caller passes the time and reports what arrived.
package struct Heartbeat {
  /// What to do now.
  package enum Action: Equatable {
    case nothing
    case beat
    /// The previous rank has been silent for so long.
    case silence(Duration)
  }

  private let interval: Duration
  private let silence: Duration
  private var lastBeat: ContinuousClock.Instant
  private var lastHeard: ContinuousClock.Instant
  private var lastLook: ContinuousClock.Instant

  package init(interval: Duration, silence: Duration, now: ContinuousClock.Instant) {
    (self.interval, self.silence) = (interval, silence)
    (lastBeat, lastHeard, lastLook) = (now - interval, now, now)
  }

  package mutating func heard(now: ContinuousClock.Instant) { lastHeard = now }

  /// Must be called several times per interval. A long pause between two calls means that this process itself
  /// was stopped; it says nothing about the previous rank.
  package mutating func look(now: ContinuousClock.Instant) -> Action {
    if now - lastLook > silence / 2 { lastHeard = now }
    lastLook = now
    if now - lastHeard > silence { return .silence(now - lastHeard) }
    guard now - lastBeat >= interval else { return .nothing }
    lastBeat = now
    return .beat
  }
}
