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
  /// At a red light, it brakes. Otherwise, it overtakes what stops if the left lane is free, and brakes if not. It
  /// follows what keeps going. If a motor vehicle turns off, it holds its speed; a two-wheeler that turns off gets
  /// room: it follows.
  package static func manoeuvre(
    group: RoadUser, prediction: Prediction, light: Light, leftLane: LeftLane
  ) -> Manoeuvre {
    if light == .red { return .brake }
    switch prediction {
    case .turnsOff: return group == .motor ? .hold : .follow
    case .stops: return leftLane == .free ? .overtake : .brake
    case .keepsGoing: return .follow
    }
  }

  /// The street of the fastest route that the manoeuvre leaves and the passenger does not refuse.
  ///
  /// After overtaking, the car is in the left lane before the junction; otherwise it stays in its lane, from which
  /// other directions can be reached. After braking it waits for the next green, when the travel times have changed.
  static func route(
    after manoeuvre: Manoeuvre, ours: [SumoRoute], beside: [SumoRoute], refused: String?
  ) -> String {
    let times: [(street: String, minutes: Int)] =
      switch manoeuvre {
      case .overtake: beside.map { ($0.street, $0.minutes) }
      case .brake: ours.map { ($0.street, $0.minutesAfterStop ?? $0.minutes) }
      case .follow, .hold: ours.map { ($0.street, $0.minutes) }
      }
    let accepted = times.filter { $0.street != refused }
    guard let fastest = accepted.min(by: { $0.minutes < $1.minutes }) else {
      preconditionFailure("a passenger refuses one of two routes at most")
    }
    return fastest.street
  }
}

/// A type of road user.
package enum RoadUser: CaseIterable, Sendable {
  /// On two wheels: slower than a motor vehicle.
  case unprotected
  /// A motor vehicle.
  case motor
}

/// An agent's motion as the sensors see it.
package enum Cue: CaseIterable, Sendable { case braking, steady, turning }

/// The traffic light ahead.
package enum Light: CaseIterable, Sendable { case red, green }

/// The grip of the road surface.
package enum Grip: CaseIterable, Sendable { case good, poor }

/// Whether the left lane is free.
package enum LeftLane: CaseIterable, Sendable { case free, busy }

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
