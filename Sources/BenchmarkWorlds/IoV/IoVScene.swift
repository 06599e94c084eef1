import Datasets
import SeededRandom
/// One scene: its facts and agents, and their description in words.
struct IoVScene {
  let facts: Circumstances
  /// The three agents of the scene; the first is the hazard.
  let cast: [Agent]
  /// The motion of each agent of `cast`; every cue occurs once.
  let cues: [Cue]

  init(from generator: inout SeededGenerator) {
    let facts = IoVDistribution.draw(from: &generator)
    let hazard = generator.pick(Agent.allCases.filter { $0.group == facts.group })
    cast = [hazard] + Agent.allCases.filter { $0 != hazard }.shuffled(by: &generator).prefix(2)
    cues = [facts.cue] + Cue.allCases.filter { $0 != facts.cue }.shuffled(by: &generator)
    self.facts = facts
  }

  /// The input texts of the tasks.
  func inputs(from generator: inout SeededGenerator) -> [String: String] {
    [
      "scene": scene(from: &generator),
      "motion": motion(from: &generator),
      "conditions": conditions(from: &generator),
      "request": request(from: &generator),
      "v2x": message(from: &generator),
    ]
  }

  /// The hazard is the agent in our lane.
  private func scene(from generator: inout SeededGenerator) -> String {
    var places = [generator.pick(IoVLanguage.inOurLane)]
    for _ in cast.dropFirst() {
      let choices = IoVLanguage.aside(leftLane: facts.leftLane).filter { !places.contains($0) }
      places.append(generator.pick(choices))
    }
    return joined(zip(cast, places).map { "\($0.rawValue) \($1)" }.shuffled(by: &generator))
  }

  private func motion(from generator: inout SeededGenerator) -> String {
    let clauses = zip(cast, cues).map { agent, cue in
      "\(agent.rawValue) \(generator.pick(IoVLanguage.cue(cue)))"
    }
    return joined(clauses.shuffled(by: &generator))
  }

  private func conditions(from generator: inout SeededGenerator) -> String {
    let metres = 50 + generator.below(950)
    let clauses = [
      generator.pick(IoVLanguage.light(facts.light)),
      generator.pick(IoVLanguage.grip(facts.grip)),
      generator.pick(IoVLanguage.leftLane(facts.leftLane)) + " for \(metres) m",
    ]
    return joined(clauses.shuffled(by: &generator))
  }

  private func request(from generator: inout SeededGenerator) -> String {
    let minute = 5 * generator.below(12)
    let time = "\(7 + generator.below(14)):" + (minute < 10 ? "0\(minute)" : "\(minute)")
    let event = generator.pick(IoVLanguage.events)
    return generator.pick(IoVLanguage.request(facts.wish, event: event, time: time))
  }

  private func message(from generator: inout SeededGenerator) -> String {
    let metres = 100 + generator.below(900)
    let obstacle = generator.pick(IoVLanguage.obstacles)
    return capitalized(
      generator.pick(IoVLanguage.message(facts.closure, metres: metres, obstacle: obstacle)))
  }

  /// Joins clauses into one sentence.
  private func joined(_ clauses: [String]) -> String {
    capitalized(clauses.joined(separator: ", ") + ".")
  }

  private func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }

  /// The items of the four tasks.
  func items(from generator: inout SeededGenerator) -> [String: TaskItem] {
    [
      "perceive": item("perceive", truth: cast[0].rawValue, options: cast.map(\.rawValue), from: &generator),
      "predict": item("predict", truth: facts.prediction, from: &generator),
      "decide": item("decide", truth: facts.manoeuvre, from: &generator),
      "route": item("route", truth: facts.routeAction, from: &generator),
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
