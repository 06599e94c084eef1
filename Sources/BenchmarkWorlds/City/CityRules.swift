/// The rules behind the `city` data. Every gold answer is computed here and nowhere else.
package enum CityRules {
  /// How bad an event is: the degree of saturation, which is demand over what is left of the capacity. Above 0.95, queues
  /// start to grow; above 1.5, they block the junctions before.
  ///
  /// - Parameter demand: the usual traffic as a share of the road's capacity.
  package static func severity(_ event: Event, demand: Double) -> Severity {
    let saturation = demand / event.capacityLeft
    return saturation < 0.95 ? .minor : saturation < 1.5 ? .serious : .severe
  }

  /// Where an event comes from that is felt along `stretch`: what holds traffic back is at its downstream end, before
  /// which vehicles queue, and what travels with the traffic began at its upstream end.
  package static func origin(_ event: Event, along stretch: Stretch) -> Origin {
    switch event.spread {
    case .againstTraffic: stretch.ends.last
    case .withTraffic: stretch.ends.first
    }
  }

  /// What the control room does about an event of `severity` that comes from `origin`.
  ///
  /// A minor event is watched. Otherwise, the signals meter traffic that comes from upstream; a patrol clears our junction
  /// if one is free; and a message sign leads traffic past what is downstream if it works. If not, the signals must do.
  package static func dispatch(_ severity: Severity, _ origin: Origin, means: Means) -> Dispatch {
    switch (severity, origin) {
    case (.minor, _): .watch
    case (_, .upstream): .retime
    case (_, .here): means.hasPatrol ? .send : .retime
    case (_, .downstream): means.hasSign ? .divert : .retime
    }
  }
}

/// What happened.
package enum Event: String, WorldAnswer {
  case crash, roadworks, crowd, rain
  case deadDetector = "dead detector"
  case darkSignals = "dark signals"

  /// The share of the capacity that is left. A crowd brings 1.8 times the usual traffic, which comes to the same. Signals
  /// with a dead detector run a fixed plan.
  package var capacityLeft: Double {
    switch self {
    case .rain, .deadDetector: 0.9
    case .crash, .crowd: 1 / 1.8
    case .roadworks, .darkSignals: 0.38
    }
  }

  /// Which way an event spreads from its origin.
  package enum Spread: Sendable { case againstTraffic, withTraffic }

  /// Vehicles queue before a crash, roadworks and dark signals. A crowd moves with the traffic, rain with the west wind
  /// along the road, and detectors pass their readings on, so that none is heard from behind a dead one.
  package var spread: Spread {
    switch self {
    case .crash, .roadworks, .darkSignals: .againstTraffic
    case .crowd, .rain, .deadDetector: .withTraffic
    }
  }
}

/// How much traffic is usual at this hour.
package enum Demand: CaseIterable, Sendable {
  case calm, normal, peak

  /// The usual traffic as a share of the detector's busiest hour, for which the road is built.
  package var shares: ClosedRange<Double> {
    switch self {
    case .calm: 0.37...0.5
    case .normal: 0.6...0.8
    case .peak: 0.9...1
    }
  }
}

/// How bad it is.
package enum Severity: String, WorldAnswer { case minor, serious, severe }

/// Where it comes from, seen from the detector.
package enum Origin: String, WorldAnswer { case upstream, here, downstream }

/// Where an event is felt.
package enum Stretch: CaseIterable, Sendable {
  case upstreamToHere, hereToDownstream, whole

  /// The first and the last of its places, in the direction of the traffic.
  package var ends: (first: Origin, last: Origin) {
    switch self {
    case .upstreamToHere: (.upstream, .here)
    case .hereToDownstream: (.here, .downstream)
    case .whole: (.upstream, .downstream)
    }
  }
}

/// What the control room has besides the signals.
package enum Means: CaseIterable, Sendable {
  case both, patrol, sign

  package var hasPatrol: Bool { self != .sign }
  package var hasSign: Bool { self != .patrol }
}

/// What the control room does.
package enum Dispatch: String, WorldAnswer {
  case watch = "keep watching"
  case retime = "retime signals"
  case divert = "divert traffic"
  case send = "send a patrol"
}
