/// The rules behind the `iov` data. Every gold answer is computed here and nowhere else.
package enum IoVRules {
  /// The next action of an agent that shows `cue`.
  package static func prediction(cue: Cue) -> Prediction {
    switch cue {
    case .braking: .stops
    case .steady: .keepsGoing
    case .turning: .turnsOff
    }
  }

  /// The ego vehicle's manoeuvre for an agent of kind `group` that is about to do `prediction`.
  ///
  /// At a red light, it brakes. Otherwise, if the agent leaves the lane, it holds its speed. If the road has
  /// grip and the left lane is free, it overtakes a vehicle that stops or a slower road user that keeps
  /// going. If it cannot overtake, it brakes for an agent that stops and follows one that keeps going.
  package static func manoeuvre(
    group: Agent.Group, prediction: Prediction, light: Light, grip: Grip, leftLane: LeftLane
  ) -> Manoeuvre {
    if light == .red { return .brake }
    let canOvertake = grip == .good && leftLane == .free
    switch (prediction, group) {
    case (.turnsOff, _): return .hold
    case (.stops, .motor): return canOvertake ? .overtake : .brake
    case (.stops, .unprotected): return .brake
    case (.keepsGoing, .unprotected): return canOvertake ? .overtake : .follow
    case (.keepsGoing, .motor): return .follow
    }
  }

  /// The action on the trip of a passenger with the wish `wish` after `manoeuvre`, given that one lane ahead
  /// is closed.
  ///
  /// After braking, the trip is delayed. Otherwise, the car is in the left lane if it has overtaken, and in
  /// its own lane if not. If that lane is the closed one, the car takes the detour for a passenger in a hurry
  /// and merges early for one who wants comfort. If not, it keeps the route.
  package static func routeAction(manoeuvre: Manoeuvre, wish: Wish, closure: Closure) -> RouteAction {
    if manoeuvre == .brake { return .announceDelay }
    guard closure.isAhead(after: manoeuvre) else { return .keepRoute }
    return wish == .hurry ? .takeDetour : .mergeEarly
  }
}

/// A road user.
package enum Agent: String, CaseIterable, Sendable {
  case pedestrian, cyclist, child, dog
  case bus, van, truck, taxi

  /// The type of an agent.
  package enum Group: CaseIterable, Sendable {
    /// On foot or on two wheels: slower than a motor vehicle.
    case unprotected
    /// A motor vehicle.
    case motor
  }

  package var group: Group {
    switch self {
    case .pedestrian, .cyclist, .child, .dog: .unprotected
    case .bus, .van, .truck, .taxi: .motor
    }
  }
}

/// An agent's motion as the sensors see it.
package enum Cue: CaseIterable, Sendable { case braking, steady, turning }

/// The traffic light ahead.
package enum Light: CaseIterable, Sendable { case red, green }

/// The grip of the road surface.
package enum Grip: CaseIterable, Sendable { case good, poor }

/// Whether the left lane is free.
package enum LeftLane: CaseIterable, Sendable { case free, busy }

/// The passenger's wish.
package enum Wish: CaseIterable, Sendable { case hurry, comfort }

/// The lane that is closed ahead, according to a road message.
package enum Closure: CaseIterable, Sendable {
  case leftLane, ourLane

  /// Whether the closed lane is the one in which the car is after `manoeuvre`.
  package func isAhead(after manoeuvre: Manoeuvre) -> Bool {
    (self == .leftLane) == (manoeuvre == .overtake)
  }
}

/// A task's possible answers, all of which are always offered.
package protocol IoVAnswer: RawRepresentable<String>, CaseIterable, Hashable, Sendable
where AllCases == [Self] {}

/// The hazard's next action.
package enum Prediction: String, IoVAnswer {
  case stops
  case keepsGoing = "keeps going"
  case turnsOff = "turns off"
}

/// The ego vehicle's manoeuvre.
package enum Manoeuvre: String, IoVAnswer {
  case brake, follow, overtake
  case hold = "hold speed"
}

/// The action on the trip.
package enum RouteAction: String, IoVAnswer {
  case keepRoute = "keep the route"
  case takeDetour = "take the detour"
  case mergeEarly = "merge early"
  case announceDelay = "announce a delay"
}
