/// What the simulation says about one moment: a moving car near a junction (the ego vehicle), its neighbours, the
/// signal, the left lane, and its routes. One line of a file of states.
package struct SumoState: Sendable, Equatable {
  /// The number of the simulation.
  package let world: Int
  /// The ego vehicle's metres per second.
  package let speed: Double
  /// The surface: wet roads are simulated with less acceleration and longer headways.
  package let grip: Grip
  /// The signal for our lane.
  package let light: Light
  /// The metres to the next vehicle ahead of us and behind us in the left lane; 99 without one.
  package let left: (ahead: Int, behind: Int)
  /// The neighbours. At least one is ahead in our lane.
  package let neighbours: [SumoNeighbour]
  /// Two routes that start from our lane.
  package let ours: [SumoRoute]
  /// Two routes that start from the left lane.
  package let beside: [SumoRoute]

  /// The gap to the vehicle ahead and that to the vehicle behind, in metres, that a change of lane needs.
  static let neededGap = (ahead: 20, behind: 12)

  /// Whether there is room for us in the left lane.
  package var leftLane: LeftLane {
    left.ahead > Self.neededGap.ahead && left.behind > Self.neededGap.behind ? .free : .busy
  }

  /// The neighbour that we reach first: the nearest one ahead in our lane.
  package var hazard: SumoNeighbour {
    let ahead = neighbours.filter { $0.place == .ownAhead }
    guard let nearest = ahead.min(by: { $0.gap < $1.gap }) else {
      preconditionFailure("a state has a vehicle ahead in our lane")
    }
    return nearest
  }

  package static func == (left: SumoState, right: SumoState) -> Bool {
    left.world == right.world && left.speed == right.speed && left.grip == right.grip
      && left.light == right.light
      && left.left == right.left && left.neighbours == right.neighbours && left.ours == right.ours
      && left.beside == right.beside
  }
}

/// A vehicle near the ego vehicle: its state now and what the simulation says that it did afterwards.
package struct SumoNeighbour: Sendable, Equatable {
  package enum Kind: String, CaseIterable, Sendable {
    case car, taxi, van, truck, bus, motorbike, moped, bicycle

    /// The group of road users, which decides about overtaking.
    package var group: RoadUser {
      switch self {
      case .motorbike, .moped, .bicycle: .unprotected
      case .car, .taxi, .van, .truck, .bus: .motor
      }
    }
  }

  package enum Place: String, CaseIterable, Sendable {
    case ownAhead = "own ahead"
    case ownBehind = "own behind"
    case leftAhead = "left ahead"
    case leftBehind = "left behind"
    case rightAhead = "right ahead"
    case rightBehind = "right behind"
    case oncoming, crossing
  }

  package enum Blinker: String, CaseIterable, Sendable { case off, left, right }

  /// Where it was 8 seconds later.
  package enum Movement: String, CaseIterable, Sendable {
    case sameLane = "same lane"
    case otherLane = "other lane"
    case straightOn = "straight on"
    case turned, gone
  }

  package let kind: Kind
  package let place: Place
  /// Metres between the bumpers, or the distance of a vehicle on another road.
  package let gap: Int
  /// Metres per second.
  package let speed: Double
  /// Metres per second squared.
  package let acceleration: Double
  package let brakes: Bool
  package let blinker: Blinker
  /// Its speed 8 seconds later.
  package let laterSpeed: Double
  package let movement: Movement

  /// What its signals announce to those behind it.
  package var cue: Cue {
    if speed < 0.5 || (brakes && acceleration <= -1) { return .braking }
    return blinker == .off ? .steady : .turning
  }

  /// What it does next, as simulated; `nil` if it is nothing clear, such as slowing down a little.
  package var prediction: Prediction? {
    switch movement {
    case .otherLane, .turned, .gone: return .turnsOff
    case .sameLane, .straightOn: break
    }
    if laterSpeed <= 1 { return .stops }
    return speed > 2 && laterSpeed >= 0.7 * speed ? .keepsGoing : nil
  }
}

/// A route to the ego vehicle's destination on the road graph.
package struct SumoRoute: Sendable, Equatable {
  /// The street that tells it from the others.
  package let street: String
  /// The travel time now, with the wait for the signal.
  package let seconds: Int
  /// The travel time after a stop until the next green, as measured then; `nil` for a route from the left lane.
  package let secondsAfterStop: Int?

  package var minutes: Int { Self.rounded(seconds) }
  package var minutesAfterStop: Int? { secondsAfterStop.map(Self.rounded) }

  private static func rounded(_ seconds: Int) -> Int { (seconds + 30) / 60 }
}
