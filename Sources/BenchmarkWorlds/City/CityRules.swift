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

  /// What the control room does about an event of `severity`, given the means at the place it comes from.
  ///
  /// A minor event is watched. Otherwise, the control room uses what is there.
  package static func dispatch(_ severity: Severity, means: Means) -> Dispatch {
    switch (severity, means) {
    case (.minor, _): .watch
    case (_, .patrol): .send
    case (_, .sign): .divert
    case (_, .signals): .retime
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

/// What the control room has at a place.
package enum Means: CaseIterable, Sendable { case patrol, sign, signals }

/// What the control room does.
package enum Dispatch: String, WorldAnswer {
  case watch = "keep watching"
  case retime = "retime signals"
  case divert = "divert traffic"
  case send = "send a patrol"
}
