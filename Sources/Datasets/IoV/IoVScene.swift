import SeededRandom
/// One scene of the world: its facts and its cast, and how they are put into words.
struct IoVScene {
  let facts: Circumstances
  let hazard: Agent
  /// The four agents of the scene, two of each group; the first is the hazard.
  let cast: [Agent]
  /// How each agent of `cast` moves; every cue occurs once.
  let cues: [Cue]

  init(from generator: inout SeededGenerator) {
    facts = IoVDistribution.draw(from: &generator)
    let same = Agent.members(of: facts.group).shuffled(by: &generator)
    let otherGroup: Agent.Group = facts.group == .motor ? .unprotected : .motor
    let others = Agent.members(of: otherGroup).shuffled(by: &generator)
    hazard = same[0]
    cast = [same[0], same[1], others[0], others[1]]
    let hazardCue = facts.cue
    cues = [hazardCue] + Cue.allCases.filter { $0 != hazardCue }.shuffled(by: &generator)
  }

  /// The texts that the tasks read.
  func inputs(from generator: inout SeededGenerator) -> [String: String] {
    [
      "scene": scene(from: &generator),
      "motion": motion(from: &generator),
      "conditions": conditions(from: &generator),
      "request": request(from: &generator),
      "v2x": message(from: &generator),
    ]
  }

  /// The hazard is the agent ahead in our lane.
  private func scene(from generator: inout SeededGenerator) -> String {
    var places = [IoVLanguage.inOurLane]
    for agent in cast.dropFirst() {
      let choices = IoVLanguage.aside(agent, leftLane: facts.leftLane).filter { !places.contains($0) }
      places.append(generator.pick(choices))
    }
    let clauses = zip(cast, places).map { agent, place in "\(IoVLanguage.option(agent)) \(place)" }
    return joined(clauses.shuffled(by: &generator))
  }

  private func motion(from generator: inout SeededGenerator) -> String {
    let clauses = zip(cast, cues).map { agent, cue in
      "\(IoVLanguage.option(agent)) \(generator.pick(IoVLanguage.cue(cue, of: agent)))"
    }.shuffled(by: &generator)
    let light = generator.pick(IoVLanguage.light(facts.light))
    return joined(generator.below(2) == 0 ? [light] + clauses : clauses + [light])
  }

  private func conditions(from generator: inout SeededGenerator) -> String {
    let sight = 100 + 10 * generator.below(90)
    let gap = 50 + 5 * generator.below(40)
    let clauses = [
      generator.pick(IoVLanguage.grip(facts.grip)),
      generator.pick(IoVLanguage.visibility(sight)),
      generator.pick(IoVLanguage.leftLane(facts.leftLane, gap)),
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
    let unit = 10 + generator.below(90)
    let metres = 150 + 50 * generator.below(16)
    let obstacle = generator.pick(IoVLanguage.obstacles)
    return generator.pick(
      IoVLanguage.message(facts.closure, unit: unit, metres: metres, obstacle: obstacle))
  }

  /// Clauses as one sentence.
  private func joined(_ clauses: [String]) -> String {
    let text = clauses.joined(separator: "; ")
    return text.prefix(1).uppercased() + text.dropFirst() + "."
  }

  /// The four tasks' items.
  func items(from generator: inout SeededGenerator) -> [String: TaskItem] {
    let agents = cast.map(IoVLanguage.option)
    return [
      "perceive": item("perceive", truth: agents[0], wrong: Array(agents.dropFirst()), from: &generator),
      "predict": item("predict", truth: facts.prediction, from: &generator),
      "decide": item("decide", truth: facts.manoeuvre, from: &generator),
      "route": item("route", truth: facts.routeAction, from: &generator),
    ]
  }

  private func item<Value: IoVAnswer>(
    _ task: String, truth: Value, from generator: inout SeededGenerator
  ) -> TaskItem {
    var wrong = Value.allCases.filter { $0 != truth }
    if wrong.count > 3 {
      var rest = generator.below(wrong.reduce(0) { $0 + $1.omission })
      wrong.removeAll { value in
        defer { rest -= value.omission }
        return rest >= 0 && rest < value.omission
      }
    }
    return item(task, truth: truth.rawValue, wrong: wrong.map(\.rawValue), from: &generator)
  }

  /// Four options in random order: the right one and three wrong ones.
  private func item(
    _ task: String, truth: String, wrong: [String], from generator: inout SeededGenerator
  ) -> TaskItem {
    let options = ([truth] + wrong).shuffled(by: &generator)
    let question = IoVLanguage.question(task)
    guard let answer = options.firstIndex(of: truth) else { preconditionFailure("the answer is an option") }
    return TaskItem(question: question, options: options, answer: answer)
  }
}
