import SeededRandom

/// The facts of a state that decide its answers.
struct IoVFacts: Hashable, Sendable {
  let group: RoadUser
  let prediction: Prediction
  let light: Light
  let grip: Grip
  let leftLane: LeftLane
  /// Whether after a stop another route from our lane is the fastest.
  let stopChangesRoute: Bool

  init(group: RoadUser, prediction: Prediction, state: SumoState) {
    self.group = group
    self.prediction = prediction
    light = state.light
    grip = state.grip
    leftLane = state.leftLane
    let (first, second) = (state.ours[0], state.ours[1])
    stopChangesRoute =
      (first.minutes < second.minutes)
      != ((first.minutesAfterStop ?? 0) < (second.minutesAfterStop ?? 0))
  }

  var manoeuvre: Manoeuvre {
    IoVRules.manoeuvre(group: group, prediction: prediction, light: light, leftLane: leftLane)
  }
}

/// A state that an episode can describe: its hazard does what its signals announce, and there are neighbours of
/// other types that announce the two other things.
struct IoVScenario: Sendable {
  let state: SumoState
  let facts: IoVFacts
  let hazard: SumoNeighbour
  /// The pairs of other neighbours that a scene can have: one for each of the two other cues.
  let companions: [[SumoNeighbour]]
  /// The street to take if the passenger refuses none.
  let fastest: String

  var routes: [SumoRoute] { state.ours + state.beside }

  init?(_ state: SumoState) {
    let hazard = state.hazard
    guard let prediction = hazard.prediction, prediction == IoVRules.prediction(cue: hazard.cue) else {
      return nil
    }
    let others = state.neighbours.filter { $0.place != .ownAhead && $0.kind != hazard.kind }
    let cues = Cue.allCases.filter { $0 != hazard.cue }
    var companions: [[SumoNeighbour]] = []
    for first in others where first.cue == cues[0] {
      for second in others where second.cue == cues[1] && second.kind != first.kind {
        companions.append([first, second])
      }
    }
    guard !companions.isEmpty else { return nil }
    self.state = state
    self.hazard = hazard
    self.companions = companions
    facts = IoVFacts(group: hazard.kind.group, prediction: prediction, state: state)
    fastest = IoVRules.route(
      after: facts.manoeuvre, ours: state.ours, beside: state.beside, refused: nil)
  }
}

/// The scenarios of some worlds with the probability of each.
///
/// Real traffic is lopsided: most vehicles roll on, and the main streets are the fastest. Probabilities are chosen so
/// that each task's answers are about equally frequent, and that what a task's own inputs say beside the facts does
/// not give the answer away: other neighbours look like hazards that do the same, and each
/// street and each kind of vehicle is the right one equally often where it is offered.
struct IoVDistribution: Sendable {
  /// A scenario with two of its other neighbours.
  struct Draw: Sendable {
    let scenario: IoVScenario
    let companions: [SumoNeighbour]
    fileprivate(set) var probability: Double
  }

  private(set) var draws: [Draw]
  /// The sum of the probabilities up to each draw.
  private let sums: [Double]

  /// - Precondition: there is a scenario.
  init(_ scenarios: [IoVScenario]) {
    let shares = Self.shares(scenarios.reduce(into: [:]) { $0[$1.facts, default: 0] += 1 })
    draws = scenarios.flatMap { scenario in
      scenario.companions.map { companions in
        Draw(scenario: scenario, companions: companions, probability: 1 / Double(scenario.companions.count))
      }
    }
    Self.scale(&draws, to: shares)
    for _ in 0..<Self.rounds {
      Self.balanceNeighbours(&draws)
      Self.balanceOptions(&draws, { $0.scenario.routes.map(\.street) }, right: \.scenario.fastest)
      Self.balanceOptions(
        &draws, { ([$0.scenario.hazard] + $0.companions).map(\.kind.rawValue) },
        right: \.scenario.hazard.kind.rawValue)
      Self.scale(&draws, to: shares)
    }
    var sum = 0.0
    sums = draws.map { draw in
      sum += draw.probability
      return sum
    }
  }

  func draw(from generator: inout SeededGenerator) -> Draw {
    let place = generator.unit() * (sums.last ?? 0)
    var (low, high) = (0, sums.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > place { high = middle } else { low = middle + 1 }
    }
    return draws[low]
  }

  /// Rounds of iterative proportional fitting.
  private static let rounds = 50

  /// The probability of each combination of facts: a product over the facts, shared among the combinations that
  /// occur. Combinations of few scenarios get less, because their texts would repeat.
  ///
  /// - Parameter counts: the number of scenarios for each combination.
  private static func shares(_ counts: [IoVFacts: Int]) -> [IoVFacts: Double] {
    var shares: [IoVFacts: Double] = [:]
    let enough = max(3, Double(counts.values.reduce(0, +)) / 150)
    func divide<Value: Hashable>(
      _ facts: [IoVFacts], _ share: Double, by value: (IoVFacts) -> Value, weight: (IoVFacts) -> Double,
      then next: ([IoVFacts], Double) -> Void
    ) {
      let groups = Dictionary(grouping: facts, by: value).values.map { group in
        let count = group.reduce(0) { $0 + (counts[$1] ?? 0) }
        return (group, weight: weight(group[0]) * min(1, Double(count) / enough))
      }
      // Sorted, so that the sum does not depend on the order of a dictionary.
      let total = groups.map(\.weight).sorted().reduce(0, +)
      for (group, weight) in groups { next(group, share * weight / total) }
    }
    // What decides the route comes first: every split has nearly the same shares of it, as far as it has such states.
    divide(Array(counts.keys), 1, by: \.prediction) {
      $0.prediction == .stops ? 9 : 5
    } then: {
      divide($0, $1, by: \.light) {
        $0.light == .green ? 82 : 18
      } then: {
        divide($0, $1, by: \.leftLane) {
          $0.leftLane == .free ? 3 : 1
        } then: {
          divide($0, $1, by: \.stopChangesRoute) {
            $0.stopChangesRoute ? 20 : 1
          } then: {
            divide($0, $1, by: \.group) { _ in
              1
            } then: {
              divide($0, $1, by: \.grip) {
                $0.grip == .good ? 4 : 1
              } then: {
                for facts in $0 { shares[facts] = $1 }
              }
            }
          }
        }
      }
    }
    return shares
  }

  /// Scales the probabilities so that each combination of facts has its share. No draw has more than sixteen times the
  /// mean of its combination.
  private static func scale(_ draws: inout [Draw], to shares: [IoVFacts: Double]) {
    var sums: [IoVFacts: Double] = [:]
    var counts: [IoVFacts: Double] = [:]
    for draw in draws { counts[draw.scenario.facts, default: 0] += 1 }
    for draw in draws { sums[draw.scenario.facts, default: 0] += draw.probability }
    for index in draws.indices {
      let facts = draws[index].scenario.facts
      let mean = (sums[facts] ?? 0) / (counts[facts] ?? 1)
      draws[index].probability = min(max(draws[index].probability, mean / 16), mean * 16)
    }
    sums = [:]
    for draw in draws { sums[draw.scenario.facts, default: 0] += draw.probability }
    for index in draws.indices {
      let facts = draws[index].scenario.facts
      draws[index].probability *= (shares[facts] ?? 0) / (sums[facts] ?? 1)
    }
  }

  /// How a neighbour that shows a cue can differ from another one.
  struct Look: Hashable {
    let cue: Cue
    let group: RoadUser
    let isStanding: Bool
    let blinker: SumoNeighbour.Blinker

    init(_ neighbour: SumoNeighbour) {
      cue = neighbour.cue
      group = neighbour.kind.group
      isStanding = neighbour.speed < 0.5
      blinker = neighbour.cue == .turning ? neighbour.blinker : .off
    }
  }

  /// Moves the looks of the other neighbours towards those of hazards with the same cue.
  private static func balanceNeighbours(_ draws: inout [Draw]) {
    var hazards: [Look: Double] = [:]
    var others: [Look: Double] = [:]
    var hazardCues: [Cue: Double] = [:]
    var otherCues: [Cue: Double] = [:]
    for draw in draws {
      hazards[Look(draw.scenario.hazard), default: 0] += draw.probability
      hazardCues[draw.scenario.hazard.cue, default: 0] += draw.probability
      for other in draw.companions {
        others[Look(other), default: 0] += draw.probability
        otherCues[other.cue, default: 0] += draw.probability
      }
    }
    for index in draws.indices {
      for other in draws[index].companions {
        let look = Look(other)
        let wanted = max(hazards[look] ?? 0, 1e-4) / max(hazardCues[other.cue] ?? 0, 1e-4)
        let found = (others[look] ?? 1) / (otherCues[other.cue] ?? 1)
        draws[index].probability *= (wanted / found).squareRoot()
      }
    }
  }

  /// Moves the share of scenes in which an offered option is the right one towards the same for every option.
  private static func balanceOptions(
    _ draws: inout [Draw], _ options: (Draw) -> [String], right: (Draw) -> String
  ) {
    var offered: [String: Double] = [:]
    var chosen: [String: Double] = [:]
    for draw in draws {
      let names = options(draw)
      for name in names { offered[name, default: 0] += draw.probability / Double(names.count) }
      chosen[right(draw), default: 0] += draw.probability
    }
    for index in draws.indices {
      let name = right(draws[index])
      let ratio = (offered[name] ?? 0) / max(chosen[name] ?? 0, 1e-9)
      draws[index].probability *= ratio.squareRoot()
    }
  }
}
