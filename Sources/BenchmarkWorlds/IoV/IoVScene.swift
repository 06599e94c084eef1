import Datasets
import SeededRandom

/// One scene: a scenario, the neighbours that are described, and the passenger's wish, in words.
struct IoVScene {
  let facts: IoVFacts
  private let state: SumoState
  /// The neighbours of the scene; the first is the hazard.
  private let cast: [SumoNeighbour]
  /// The street that the passenger refuses.
  private let refused: String?
  private let headings: IoVLanguage.Headings

  init(_ draw: IoVDistribution.Draw, difficulty: IoVDifficulty, from generator: inout SeededGenerator) {
    facts = draw.scenario.facts
    state = draw.scenario.state
    var cast = [draw.scenario.hazard] + draw.companions
    if difficulty.hasFourthNeighbour {
      let kinds = Set(cast.map(\.kind))
      let others = state.neighbours.filter { $0.place != .ownAhead && !kinds.contains($0.kind) }
      if !others.isEmpty { cast.append(generator.pick(others)) }
    }
    self.cast = cast
    headings = IoVLanguage.headings(difficulty)
    // Both numbers are always drawn, so that another difficulty changes nothing else.
    let chance = generator.unit()
    let street = generator.pick((state.ours + state.beside).map(\.street))
    refused = chance < difficulty.refusals ? street : nil
  }

  /// The input texts of the tasks.
  func inputs(from generator: inout SeededGenerator) -> [String: String] {
    [
      "scene": scene(from: &generator),
      "motion": motion(from: &generator),
      "conditions": conditions(from: &generator),
      "request": request(from: &generator),
      "roads": roads(from: &generator),
    ]
  }

  private func scene(from generator: inout SeededGenerator) -> String {
    let clauses = cast.map { neighbour in
      "\(neighbour.kind.rawValue) \(generator.pick(IoVLanguage.place(neighbour.place))), \(neighbour.gap) m"
    }
    return sentence(clauses.shuffled(by: &generator), separator: "; ")
  }

  private func motion(from generator: inout SeededGenerator) -> String {
    let clauses = cast.map { neighbour in
      "\(neighbour.kind.rawValue) \(generator.pick(IoVLanguage.cue(neighbour)))"
        + (neighbour.speed < 0.5 ? "" : ", \(Int((neighbour.speed * 3.6).rounded())) km/h")
    }
    return sentence(clauses.shuffled(by: &generator), separator: "; ")
  }

  private func conditions(from generator: inout SeededGenerator) -> String {
    let clauses = [
      generator.pick(IoVLanguage.light(facts.light)),
      generator.pick(IoVLanguage.grip(facts.grip)),
      generator.pick(IoVLanguage.leftLane(facts.leftLane)),
      // Our own speed would tell a little about what is ahead of us.
      "\(generator.below(33)) °C",
    ]
    return sentence(clauses.shuffled(by: &generator), separator: ", ")
  }

  private func request(from generator: inout SeededGenerator) -> String {
    let minute = 5 * generator.below(12)
    let time = "\(7 + generator.below(14)):" + (minute < 10 ? "0\(minute)" : "\(minute)")
    let event = generator.pick(IoVLanguage.events)
    return generator.pick(IoVLanguage.request(avoiding: refused, event: event, time: time))
  }

  private func roads(from generator: inout SeededGenerator) -> String {
    func part(_ heading: String, _ routes: [(street: String, minutes: Int)]) -> String {
      let fastest = routes.map(\.minutes).min() ?? 0
      let clauses = routes.map { route in
        let more = route.minutes - fastest
        return "\(route.street) " + (more == 0 ? generator.pick(IoVLanguage.fastest) : "\(more) min slower")
      }
      return "\(heading): " + clauses.shuffled(by: &generator).joined(separator: ", ")
    }
    let parts = [
      part(generator.pick(headings.ours), state.ours.map { ($0.street, $0.minutes) }),
      part(generator.pick(headings.stopped), state.ours.map { ($0.street, $0.minutesAfterStop ?? 0) }),
      part(generator.pick(headings.beside), state.beside.map { ($0.street, $0.minutes) }),
    ]
    return parts.shuffled(by: &generator).joined(separator: ". ") + "."
  }

  private func sentence(_ clauses: [String], separator: String) -> String {
    let text = clauses.joined(separator: separator) + "."
    return text.prefix(1).uppercased() + text.dropFirst()
  }

  /// The route to take: of those that the manoeuvre leaves, the fastest that the passenger does not refuse.
  private var route: String {
    IoVRules.route(after: facts.manoeuvre, ours: state.ours, beside: state.beside, refused: refused)
  }

  /// The items of the four tasks.
  func items(from generator: inout SeededGenerator) -> [String: TaskItem] {
    [
      "perceive": item(
        "perceive", truth: cast[0].kind.rawValue, options: cast.map(\.kind.rawValue), from: &generator),
      "predict": item("predict", truth: facts.prediction, from: &generator),
      "decide": item("decide", truth: facts.manoeuvre, from: &generator),
      "route": item(
        "route", truth: route, options: (state.ours + state.beside).map(\.street), from: &generator),
    ]
  }

  private func item<Value: IoVAnswer>(
    _ task: String, truth: Value, from generator: inout SeededGenerator
  ) -> TaskItem {
    item(task, truth: truth.rawValue, options: Value.allCases.map(\.rawValue), from: &generator)
  }

  private func item(
    _ task: String, truth: String, options: [String], from generator: inout SeededGenerator
  ) -> TaskItem {
    let options = options.shuffled(by: &generator)
    guard let answer = options.firstIndex(of: truth) else { preconditionFailure("the answer is an option") }
    return TaskItem(question: IoVLanguage.question(task), options: options, answer: answer)
  }
}
