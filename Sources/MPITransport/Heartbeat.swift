/// When to send a heartbeat to the next rank, and when the previous one has been silent for too long.
///
/// No clock and no messages: it is told the time and what arrived. Times in seconds.
package struct Heartbeat {
  /// What to do now.
  package enum Action: Equatable {
    case nothing
    case beat
    /// The previous rank has said nothing for so long.
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

  /// To be called several times an interval. A long pause between two looks means that this process itself
  /// stood still, and says nothing about the previous one.
  package mutating func look(now: Double) -> Action {
    if now - lastLook > silence / 2 { lastHeard = now }
    lastLook = now
    if now - lastHeard > silence { return .silence(seconds: now - lastHeard) }
    guard now - lastBeat >= interval else { return .nothing }
    lastBeat = now
    return .beat
  }
}
