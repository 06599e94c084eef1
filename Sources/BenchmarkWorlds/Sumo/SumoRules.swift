/// The choice of the route. The manoeuvre follows from `IoVRules`, everything else from the simulation.
enum SumoRules {
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
