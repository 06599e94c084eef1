/// Decides when to send a heartbeat to the next rank, and when the previous one has been silent for too long.
///
/// It has no clock and sends no messages: the caller passes the time and reports what arrived. Times are in
/// seconds.
package struct Heartbeat {
  /// What to do now.
  package enum Action: Equatable {
    case nothing
    case beat
    /// The previous rank has been silent for `seconds`.
    case silence(seconds: Double)
  }

  private let interval: Double
  private let silence: Double
  private var lastBeat: Double
  private var lastHeard: Double
  private var lastLook: Double

  package init(interval: Double, silence: Double, now: Double) {
    (self.interval, self.silence) = (interval, silence)
    (lastBeat, lastHeard, lastLook) = (now - interval, now, now)
  }

  package mutating func heard(now: Double) { lastHeard = now }

  /// Must be called several times per interval. A long pause between two calls means that this process itself
  /// was stopped; it says nothing about the previous rank.
  package mutating func look(now: Double) -> Action {
    if now - lastLook > silence / 2 { lastHeard = now }
    lastLook = now
    if now - lastHeard > silence { return .silence(seconds: now - lastHeard) }
    guard now - lastBeat >= interval else { return .nothing }
    lastBeat = now
    return .beat
  }
}
