/// The rules of the small world behind the `iov` data: what follows from what. Every recorded answer is
/// computed here and nowhere else.
package enum IoVRules {
  /// What an agent that shows `cue` does next.
  package static func prediction(cue: Cue) -> Prediction {
    switch cue {
    case .braking: .stops
    case .steady: .keepsGoing
    case .turning: .turnsOff
    }
  }

  /// What the ego vehicle does about an agent of kind `group` that is about to do `prediction`.
  ///
  /// Before a red light it brakes. Otherwise it holds its speed when the agent leaves the lane. It overtakes
  /// a vehicle that stops, or a slower road user that keeps going, if the road has grip and the left lane is
  /// free. If it cannot overtake, it brakes for what stops and follows what keeps going.
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

  /// What is done about the trip of a passenger with the wish `wish` after `manoeuvre`, with one lane closed
  /// further on.
  ///
  /// After braking the trip is delayed. Otherwise the car is in the left lane after overtaking and in its own
  /// after the others. If that lane is the closed one, who is in a hurry takes the detour and who wants
  /// comfort merges early; if not, the route is kept.
  package static func routeAction(manoeuvre: Manoeuvre, wish: Wish, closure: Closure) -> RouteAction {
    if manoeuvre == .brake { return .announceDelay }
    guard closure.isAhead(after: manoeuvre) else { return .keepRoute }
    return wish == .hurry ? .takeDetour : .mergeEarly
  }
}

/// Who is on the road.
package enum Agent: String, CaseIterable, Sendable {
  case pedestrian, cyclist, child, dog
  case bus, van, truck, taxi

  /// Whether an agent has a car body around it.
  package enum Group: CaseIterable, Sendable {
    /// On foot or on two wheels, and slower than a vehicle.
    case unprotected
    /// In a motor vehicle.
    case motor
  }

  package var group: Group {
    switch self {
    case .pedestrian, .cyclist, .child, .dog: .unprotected
    case .bus, .van, .truck, .taxi: .motor
    }
  }
}

/// How an agent moves, as the sensors see it.
package enum Cue: CaseIterable, Sendable { case braking, steady, turning }

/// The traffic light ahead.
package enum Light: CaseIterable, Sendable { case red, green }

/// What the road's surface gives the tyres.
package enum Grip: CaseIterable, Sendable { case good, poor }

/// Whether the lane to the left can be used.
package enum LeftLane: CaseIterable, Sendable { case free, busy }

/// What the passenger asks for.
package enum Wish: CaseIterable, Sendable { case hurry, comfort }

/// The lane that is closed further on, as the road's sender says.
package enum Closure: CaseIterable, Sendable {
  case leftLane, ourLane

  /// Whether it is the lane that the car is in after `manoeuvre`.
  package func isAhead(after manoeuvre: Manoeuvre) -> Bool {
    (self == .leftLane) == (manoeuvre == .overtake)
  }
}

/// A task's vocabulary of answers, all of them offered each time.
package protocol IoVAnswer: RawRepresentable<String>, CaseIterable, Hashable, Sendable
where AllCases == [Self] {}

/// What the hazard does next.
package enum Prediction: String, IoVAnswer {
  case stops
  case keepsGoing = "keeps going"
  case turnsOff = "turns off"
}

/// What the ego vehicle does.
package enum Manoeuvre: String, IoVAnswer {
  case brake, follow, overtake
  case hold = "hold speed"
}

/// What is done about the trip.
package enum RouteAction: String, IoVAnswer {
  case keepRoute = "keep the route"
  case takeDetour = "take the detour"
  case mergeEarly = "merge early"
  case announceDelay = "announce a delay"
}
