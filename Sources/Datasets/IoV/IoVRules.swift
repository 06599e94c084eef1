/// The rules of the small world behind the `iov` data: what follows from what. Every recorded answer is
/// computed here and nowhere else.
package enum IoVRules {
  /// What an agent that shows `cue` does next under the traffic light `light`.
  ///
  /// Turning and unsteady agents do as they look; at a red light everyone else stops; at a green light an
  /// agent that brakes stops where it is and one that moves evenly keeps going.
  package static func prediction(cue: Cue, light: Light) -> Prediction {
    switch (cue, light) {
    case (.turning, _): .leavesLane
    case (.unsteady, _): .swerves
    case (_, .red): .stopsAtLight
    case (.braking, .green): .stopsInLane
    case (.steady, .green): .keepsGoing
    }
  }

  /// What the ego vehicle does about an agent of kind `group` that is about to do `prediction`.
  ///
  /// Before a red light it brakes. On a slippery road it never passes and never holds its speed: it brakes
  /// for whatever stops or swerves and follows whatever does not. On a good road it holds its speed when its
  /// lane clears; it passes a vehicle that has stopped, or a slower road user, if the left lane is free; it
  /// brakes for an unprotected agent that stops or swerves, and follows otherwise.
  package static func manoeuvre(
    group: Agent.Group, prediction: Prediction, grip: Grip, leftLane: LeftLane
  ) -> Manoeuvre {
    switch (prediction, grip, group, leftLane) {
    case (.stopsAtLight, _, _, _): .brake
    case (.stopsInLane, .poor, _, _), (.swerves, .poor, _, _): .brake
    case (.keepsGoing, .poor, _, _), (.leavesLane, .poor, _, _): .follow
    case (.leavesLane, .good, _, _): .hold
    case (.swerves, .good, .unprotected, _): .brake
    case (.swerves, .good, .motor, _): .follow
    case (.stopsInLane, .good, .motor, .free): .overtake
    case (.stopsInLane, .good, _, _): .brake
    case (.keepsGoing, .good, .unprotected, .free): .overtake
    case (.keepsGoing, .good, _, _): .follow
    }
  }

  /// What is done about the trip of a passenger with the wish `wish` after `manoeuvre`, with one lane closed
  /// further on.
  ///
  /// After braking the trip is held up: who is in a hurry hears of the delay, who wants comfort is offered a
  /// rest. Otherwise the car is in the left lane after overtaking and in its own after the others. If that
  /// lane is the closed one, it turns off when it is slow (following) and merges when it is fast. If not, it
  /// turns off only when it is slow and the passenger in a hurry, and else keeps its route.
  package static func routeAction(manoeuvre: Manoeuvre, wish: Wish, closure: Closure) -> RouteAction {
    if manoeuvre == .brake { return wish == .hurry ? .announceDelay : .offerRest }
    let isClosed = manoeuvre == .overtake ? closure == .leftLane : closure == .ourLane
    if manoeuvre == .follow { return isClosed || wish == .hurry ? .takeDetour : .keepRoute }
    return isClosed ? .merge : .keepRoute
  }
}

/// Who is on the road.
package enum Agent: String, CaseIterable, Sendable {
  case pedestrian, cyclist, scooterRider, roadWorker
  case bus, van, truck, taxi

  /// Whether an agent has a car body around it.
  package enum Group: CaseIterable, Sendable {
    /// On foot or on two wheels.
    case unprotected
    /// In a motor vehicle.
    case motor
  }

  package var group: Group {
    switch self {
    case .pedestrian, .cyclist, .scooterRider, .roadWorker: .unprotected
    case .bus, .van, .truck, .taxi: .motor
    }
  }

  package static func members(of group: Group) -> [Agent] {
    allCases.filter { $0.group == group }
  }
}

/// How an agent moves, as the sensors see it.
package enum Cue: CaseIterable, Sendable { case braking, steady, turning, unsteady }

/// The traffic light ahead.
package enum Light: CaseIterable, Sendable { case red, green }

/// What the road's surface gives the tyres.
package enum Grip: CaseIterable, Sendable { case good, poor }

/// Whether the lane to the left can be used.
package enum LeftLane: CaseIterable, Sendable { case free, busy }

/// What the passenger asks for.
package enum Wish: CaseIterable, Sendable { case hurry, comfort }

/// The lane that is closed further on, as the road's sender says.
package enum Closure: CaseIterable, Sendable { case leftLane, ourLane }

/// A task's vocabulary of answers. Four are offered at a time; where there are five, one wrong one is left
/// out, drawn with the weights `omission`: rare answers more often, so that an answer that is offered is
/// about as often right as any other.
package protocol IoVAnswer: RawRepresentable<String>, CaseIterable, Hashable, Sendable
where AllCases == [Self] {
  /// The weight with which the answer is left out.
  var omission: Int { get }
}

/// What the hazard does next.
package enum Prediction: String, IoVAnswer {
  case stopsAtLight = "stops at the light"
  case stopsInLane = "stops in our lane"
  case keepsGoing = "keeps going ahead"
  case leavesLane = "leaves our lane"
  case swerves = "swerves suddenly"

  package var omission: Int { self == .stopsAtLight ? 7 : 1 }
}

/// What the ego vehicle does.
package enum Manoeuvre: String, IoVAnswer {
  case brake = "brake to a stop"
  case follow = "follow at a distance"
  case overtake = "overtake on the left"
  case hold = "hold our speed"

  package var omission: Int { 0 }
}

/// What is done about the trip.
package enum RouteAction: String, IoVAnswer {
  case keepRoute = "keep the route"
  case takeDetour = "take the detour"
  case announceDelay = "announce a delay"
  case offerRest = "offer a rest stop"
  case merge = "merge before the closure"

  package var omission: Int {
    switch self {
    case .keepRoute, .takeDetour: 1
    case .merge: 4
    case .announceDelay: 6
    case .offerRest: 8
    }
  }
}
