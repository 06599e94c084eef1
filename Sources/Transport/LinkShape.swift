/// The speed of an emulated directed link.
package struct LinkShape: Sendable, Hashable, Codable {
  /// Bytes per second; infinite if the bytes take no time.
  package let bandwidth: Double
  /// Seconds from when the last byte has left until the message arrives.
  package let latency: Double

  /// - Precondition: `bandwidth > 0` and `latency ≥ 0`.
  package init(bandwidth: Double = .infinity, latency: Double = 0) {
    precondition(bandwidth > 0 && latency >= 0, "bandwidth \(bandwidth), latency \(latency)")
    (self.bandwidth, self.latency) = (bandwidth, latency)
  }
}

/// The links that leave one rank, and the arrival times of messages over them.
///
/// Messages over one link are sent one after the other: each starts when the one before has left. With a
/// shared uplink (one network card, as on most devices) this holds for all of the rank's links together.
package struct OutgoingLinks: Sendable {
  private let byPeer: [Int: LinkShape]
  private let rest: LinkShape
  private let sharedUplink: Bool
  /// When each lane becomes free, in seconds; lane -1 is the shared uplink.
  private var free: [Int: Double] = [:]

  /// - Parameters:
  ///   - byPeer: the links to some ranks.
  ///   - rest: the link to each of the others.
  ///   - sharedUplink: whether messages to different ranks wait for each other.
  package init(_ byPeer: [Int: LinkShape] = [:], rest: LinkShape = LinkShape(), sharedUplink: Bool = false) {
    (self.byPeer, self.rest, self.sharedUplink) = (byPeer, rest, sharedUplink)
  }

  /// Puts a message on its link.
  ///
  /// - Parameter now: seconds on any clock, not earlier than in the previous call.
  /// - Returns: when it arrives, on the same clock.
  package mutating func arrival(of bytes: Int, to peer: Int, now: Double) -> Double {
    let link = byPeer[peer] ?? rest
    let lane = sharedUplink ? -1 : peer
    let left = max(now, free[lane] ?? 0) + Double(bytes) / link.bandwidth
    free[lane] = left
    return left + link.latency
  }
}
