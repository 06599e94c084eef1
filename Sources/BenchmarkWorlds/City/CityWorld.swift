import Datasets
import SeededRandom

/// The `city` data (smart city): disturbances on a road with four tasks that depend on each other.
///
/// | task | own inputs | parents | answer |
/// |---|---|---|---|
/// | `event` | `readings`: count and travel time now and usually | – | what happened |
/// | `severity` | `demand`: the usual traffic at this hour | `event` | how bad it is |
/// | `origin` | `clues`: along which places it is felt | `event` | which place it comes from |
/// | `dispatch` | `means`: what the control room has | `severity`, `origin` | what to do |
///
/// No task's own inputs repeat its parents' answers: how bad an event is depends on what it leaves of the capacity, and at
/// which end of the stretch where it is felt it began on how it spreads. The usual counts and travel
/// times are real (see `Profile/README.md`); the answers follow from `CityRules`.
package struct CityWorld: DraftedWorld {
  /// How much the texts say beside what matters.
  package let difficulty: Difficulty

  package init(difficulty: Difficulty) {
    self.difficulty = difficulty
  }

  package var name: String { "city" }

  package var tasks: [DatasetTask] {
    [
      DatasetTask(name: "event", inputs: ["readings"]),
      DatasetTask(name: "severity", inputs: ["demand"], parents: ["event"]),
      DatasetTask(name: "origin", inputs: ["clues"], parents: ["event"]),
      DatasetTask(name: "dispatch", inputs: ["means"], parents: ["severity", "origin"]),
    ]
  }

  package var accuracyWithoutParents: [String: Double] {
    [
      "event": 1,
      "severity": Limit.accuracy(Self.situations, reading: \.demand, answer: \.severity),
      "origin": Limit.accuracy(Self.situations, reading: \.stretch, answer: \.origin),
      "dispatch": Limit.accuracy(Self.situations, reading: \.means, answer: \.dispatch),
    ]
  }

  /// What determines the answers.
  private struct Situation: Sendable {
    let event: Event
    let demand: Demand
    let stretch: Stretch
    let means: Means

    /// The same for all shares in the demand's range.
    var severity: Severity { CityRules.severity(event, demand: demand.shares.lowerBound) }

    var origin: Origin { CityRules.origin(event, along: stretch) }
    var dispatch: Dispatch { CityRules.dispatch(severity, origin, means: means) }
  }

  /// Every possible situation; all are equally frequent.
  private static let situations: [Situation] = {
    var all: [Situation] = []
    for event in Event.allCases {
      for demand in Demand.allCases {
        for stretch in Stretch.allCases {
          for means in Means.allCases {
            all.append(Situation(event: event, demand: demand, stretch: stretch, means: means))
          }
        }
      }
    }
    return all
  }()

  package func draft(from generator: inout SeededGenerator) -> Draft {
    let situation = generator.pick(Self.situations)
    let hour = generator.pick(CityProfile.shared.hours(with: situation.demand))
    let severity = CityRules.severity(situation.event, demand: hour.share)
    let minute = generator.below(60)
    let clock = "\(hour.hour):" + (minute < 10 ? "0\(minute)" : "\(minute)")
    return Draft(
      inputs: [
        "readings": readings(situation.event, hour, clock, from: &generator),
        "demand": demand(situation.demand, hour, clock, from: &generator),
        "clues": clues(situation.stretch, from: &generator),
        "means": means(situation.means, clock, from: &generator),
      ],
      items: [
        "event": Wording.item("What happened?", situation.event, from: &generator),
        "severity": Wording.item("How bad is it?", severity, from: &generator),
        "origin": Wording.item("Where does it come from?", situation.origin, from: &generator),
        "dispatch": Wording.item("What do we do?", situation.dispatch, from: &generator),
      ])
  }

  private func readings(
    _ event: Event, _ hour: CityProfile.Hour, _ clock: String, from generator: inout SeededGenerator
  ) -> String {
    // The shares of the usual count and travel time that are measured, in percent.
    let (counts, times): (ClosedRange<Int>, ClosedRange<Int>) =
      switch event {
      case .crash: (20...45, 250...400)
      case .roadworks: (40...65, 170...260)
      case .crowd: (150...190, 160...240)
      case .rain: (75...88, 130...170)
      case .deadDetector: (0...0, 95...105)
      case .darkSignals: (35...55, 200...320)
      }
    let stretch = generator.pick(CityProfile.shared.stretches)
    let usualCount = max(1, Int(hour.count.median.rounded()))
    let usualTime = Int((stretch[hour.hour]?.median ?? 30).rounded())
    let count = usualCount * generator.pick(Array(counts)) / 100
    let seconds = (usualTime * generator.pick(Array(times)) + 50) / 100
    let circumstances = CityLanguage.circumstance(event, minutes: 3 + generator.below(12))
    var clauses = [
      generator.pick(CityLanguage.count(event, now: count, usual: usualCount)),
      generator.pick(CityLanguage.travelTime(event, now: seconds, usual: usualTime)),
    ]
    if !circumstances.isEmpty { clauses.append(generator.pick(circumstances)) }
    let sentence = Wording.sentence(
      clauses + CityLanguage.readingRemarks.shuffled(by: &generator).prefix(difficulty.remarks),
      separator: "; ", from: &generator)
    return "Detector \(hour.detector), \(clock): \(sentence)"
  }

  private func demand(
    _ demand: Demand, _ hour: CityProfile.Hour, _ clock: String, from generator: inout SeededGenerator
  ) -> String {
    // Two quarters of an hour within the usual spread.
    let counts = (0..<2).map { _ in
      max(1, Int((hour.count.median + (2 * generator.unit() - 1) * hour.count.spread).rounded()))
    }.sorted()
    let weekday = generator.pick(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"])
    let clauses = [
      generator.pick(CityLanguage.demand(demand)),
      "usually \(counts[0]) to \(counts[1]) vehicles",
    ]
    return Wording.sentence(
      clauses + ["\(weekday) \(clock)"]
        + CityLanguage.demandRemarks.shuffled(by: &generator).prefix(difficulty.remarks),
      from: &generator)
  }

  private func clues(_ stretch: Stretch, from generator: inout SeededGenerator) -> String {
    let first = generator.pick(CityLanguage.origin(stretch.ends.first))
    let last = generator.pick(CityLanguage.origin(stretch.ends.last))
    return Wording.sentence(
      [
        generator.pick(CityLanguage.stretch(from: first, to: last)),
        "\(generator.below(20)) min ago, link \(100 + generator.below(900))",
      ] + CityLanguage.clueRemarks.shuffled(by: &generator).prefix(difficulty.remarks),
      separator: "; ", from: &generator)
  }

  private func means(
    _ means: Means, _ clock: String, from generator: inout SeededGenerator
  ) -> String {
    let sentence = Wording.sentence(
      [
        generator.pick(CityLanguage.patrol(isFree: means.hasPatrol)),
        generator.pick(CityLanguage.sign(works: means.hasSign)),
      ] + CityLanguage.meansRemarks.shuffled(by: &generator).prefix(difficulty.remarks),
      from: &generator)
    return "Desk \(1 + generator.below(30)), \(clock): \(sentence)"
  }
}
