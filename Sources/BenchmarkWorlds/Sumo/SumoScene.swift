import Datasets
import SeededRandom

/// One scene: a scenario, the neighbours that are described, and the passenger's wish, in words.
struct SumoScene {
  let facts: SumoFacts
  private let state: SumoState
  /// The neighbours of the scene; the first is the hazard.
  private let cast: [SumoNeighbour]
  /// The street that the passenger refuses.
  private let refused: String?
  private let headings: SumoLanguage.Headings

  init(_ draw: SumoDistribution.Draw, difficulty: SumoDifficulty, from generator: inout SeededGenerator) {
    facts = draw.scenario.facts
    state = draw.scenario.state
    var cast = [draw.scenario.hazard] + draw.companions
    if difficulty.hasFourthNeighbour {
      let kinds = Set(cast.map(\.kind))
      let others = state.neighbours.filter { $0.place != .ownAhead && !kinds.contains($0.kind) }
      if !others.isEmpty { cast.append(generator.pick(others)) }
    }
    self.cast = cast
    headings = SumoLanguage.headings(difficulty)
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
      "\(neighbour.kind.rawValue) \(generator.pick(SumoLanguage.place(neighbour.place))), \(neighbour.gap) m"
    }
    return sentence(clauses.shuffled(by: &generator), separator: "; ")
  }

  private func motion(from generator: inout SeededGenerator) -> String {
    let clauses = cast.map { neighbour in
      "\(neighbour.kind.rawValue) \(generator.pick(SumoLanguage.cue(neighbour)))"
        + (neighbour.speed < 0.5 ? "" : ", \(Int((neighbour.speed * 3.6).rounded())) km/h")
    }
    return sentence(clauses.shuffled(by: &generator), separator: "; ")
  }

  private func conditions(from generator: inout SeededGenerator) -> String {
    let clauses = [
      generator.pick(SumoLanguage.light(facts.light)),
      generator.pick(SumoLanguage.grip(facts.grip)),
      generator.pick(SumoLanguage.leftLane(facts.leftLane)),
      "\(Int((state.speed * 3.6).rounded())) km/h",
    ]
    return sentence(clauses.shuffled(by: &generator), separator: ", ")
  }

  private func request(from generator: inout SeededGenerator) -> String {
    let minute = 5 * generator.below(12)
    let time = "\(7 + generator.below(14)):" + (minute < 10 ? "0\(minute)" : "\(minute)")
    let event = generator.pick(SumoLanguage.events)
    return generator.pick(SumoLanguage.request(avoiding: refused, event: event, time: time))
  }

  private func roads(from generator: inout SeededGenerator) -> String {
    func part(_ heading: String, _ routes: [(SumoRoute, Int)]) -> String {
      "\(heading): " + routes.map { "\($0.0.street) \($0.1) min" }.joined(separator: ", ")
    }
    let parts = [
      part(
        generator.pick(headings.ours),
        state.ours.map { ($0, $0.minutes) }.shuffled(by: &generator)),
      part(
        generator.pick(headings.stopped),
        state.ours.map { ($0, $0.minutesAfterStop ?? 0) }.shuffled(by: &generator)),
      part(
        generator.pick(headings.beside),
        state.beside.map { ($0, $0.minutes) }.shuffled(by: &generator)),
    ]
    return parts.shuffled(by: &generator).joined(separator: ". ") + "."
  }

  private func sentence(_ clauses: [String], separator: String) -> String {
    let text = clauses.joined(separator: separator) + "."
    return text.prefix(1).uppercased() + text.dropFirst()
  }

  /// The route to take: of those that the manoeuvre leaves, the fastest that the passenger does not refuse.
  private var route: String {
    SumoRules.route(after: facts.manoeuvre, ours: state.ours, beside: state.beside, refused: refused)
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
    return TaskItem(question: SumoLanguage.question(task), options: options, answer: answer)
  }
}
