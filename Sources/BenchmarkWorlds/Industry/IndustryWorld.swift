import Datasets
import SeededRandom

/// The `industry` data (industrial safety): monitored pumps with four tasks that depend on each other.
///
/// | task | own inputs | parents | answer |
/// |---|---|---|---|
/// | `diagnose` | `spectrum`: vibration and temperature | – | what is wrong |
/// | `forecast` | `trend`: how the vibration grows | `diagnose` | how long the pump lasts |
/// | `assess` | `site`: what is beside the pump | `diagnose` | the risk of a failure |
/// | `act` | `message`: what the operator says | `forecast`, `assess` | what to do |
///
/// No task's own inputs repeat its parents' answers: how long a growing vibration takes depends on the law by which the
/// fault grows, and what a failure does to its surroundings on how the pump fails. The answers follow from
/// `IndustryRules`; the figures in the texts come from a model of the pump.
package struct IndustryWorld: DraftedWorld {
  /// How much the texts say beside what matters.
  package let difficulty: Difficulty

  package init(difficulty: Difficulty) {
    self.difficulty = difficulty
  }

  package var name: String { "industry" }

  package var tasks: [DatasetTask] {
    [
      DatasetTask(name: "diagnose", inputs: ["spectrum"]),
      DatasetTask(name: "forecast", inputs: ["trend"], parents: ["diagnose"]),
      DatasetTask(name: "assess", inputs: ["site"], parents: ["diagnose"]),
      DatasetTask(name: "act", inputs: ["message"], parents: ["forecast", "assess"]),
    ]
  }

  package var accuracyWithoutParents: [String: Double] {
    [
      "diagnose": 1,
      "forecast": Limit.accuracy(Self.situations, reading: \.growth, answer: \.life),
      "assess": Limit.accuracy(Self.situations, reading: \.surroundings, answer: \.risk),
      "act": Limit.accuracy(
        Self.situations, reading: { [$0.load == .busy, $0.spare == .inStore] }, answer: \.action),
    ]
  }

  /// What determines the answers.
  private struct Situation: Sendable {
    let fault: Fault
    let growth: Growth
    let surroundings: Surroundings
    let load: Load
    let spare: Spare

    /// The same for all levels and rates of growth that ``Pump`` draws.
    var life: Life {
      let rate = growth == .slow ? 0.1 : growth == .steady ? 0.35 : 1.1
      return IndustryRules.life(fault, level: 2.75, growth: rate)
    }

    var risk: Risk { IndustryRules.risk(fault.failure, beside: surroundings) }
    var action: Action { IndustryRules.action(life, risk, spare: spare) }
  }

  /// Every possible situation; all are equally frequent.
  private static let situations: [Situation] = {
    var all: [Situation] = []
    for fault in Fault.allCases {
      for growth in Growth.allCases {
        for surroundings in Surroundings.allCases {
          for load in Load.allCases {
            for spare in Spare.allCases {
              all.append(
                Situation(
                  fault: fault, growth: growth, surroundings: surroundings, load: load, spare: spare))
            }
          }
        }
      }
    }
    return all
  }()

  package func draft(from generator: inout SeededGenerator) -> Draft {
    let situation = generator.pick(Self.situations)
    let pump = Pump(situation.fault, situation.growth, from: &generator)
    let life = IndustryRules.life(
      situation.fault, level: Double(pump.level) / 100, growth: Double(pump.growth) / 100)
    return Draft(
      inputs: [
        "spectrum": spectrum(situation, pump, from: &generator),
        "trend": trend(situation, pump, from: &generator),
        "site": site(situation, from: &generator),
        "message": message(situation, from: &generator),
      ],
      items: [
        "diagnose": Wording.item("What is wrong?", situation.fault, from: &generator),
        "forecast": Wording.item("How long will it last?", life, from: &generator),
        "assess": Wording.item("How high is the risk?", situation.risk, from: &generator),
        "act": Wording.item("What do we do?", situation.action, from: &generator),
      ])
  }

  private func spectrum(
    _ situation: Situation, _ pump: Pump, from generator: inout SeededGenerator
  ) -> String {
    let isOuterRace = generator.below(2) == 0
    let others = Fault.allCases.filter { $0 != situation.fault }.shuffled(by: &generator)
    let clauses =
      [generator.pick(IndustryLanguage.sign(situation.fault, pump, isOuterRace: isOuterRace))]
      + others.prefix(difficulty.remarks).map { IndustryLanguage.absence($0, pump) }
    return "Pump \(100 + generator.below(900)) at \(pump.speed) rpm: "
      + clauses.shuffled(by: &generator).joined(separator: "; ") + "."
  }

  private func trend(
    _ situation: Situation, _ pump: Pump, from generator: inout SeededGenerator
  ) -> String {
    let growth = generator.pick(IndustryLanguage.growth(situation.growth, percent: pump.growth))
    let level = Wording.decimal(pump.level, decimals: 2)
    let hours = 2000 + generator.below(30_000)
    return Wording.sentence(
      ["vibration \(level) mm/s, \(growth)", "\(hours) hours run"]
        + IndustryLanguage.trendRemarks.shuffled(by: &generator).prefix(difficulty.remarks),
      separator: "; ", from: &generator)
  }

  private func site(_ situation: Situation, from generator: inout SeededGenerator) -> String {
    let place = generator.pick(IndustryLanguage.surroundings(situation.surroundings))
    let distance = Wording.decimal(8 + generator.below(52), decimals: 1)
    return Wording.sentence(
      ["\(place) \(distance) m away", "bay \(1 + generator.below(400))"]
        + IndustryLanguage.siteRemarks.shuffled(by: &generator).prefix(difficulty.remarks),
      from: &generator)
  }

  private func message(_ situation: Situation, from generator: inout SeededGenerator) -> String {
    let clauses = Wording.sentence(
      [
        generator.pick(IndustryLanguage.load(situation.load)),
        generator.pick(IndustryLanguage.spare(situation.spare)),
      ] + IndustryLanguage.messageRemarks.shuffled(by: &generator).prefix(difficulty.remarks),
      from: &generator)
    return "\(generator.pick(IndustryLanguage.operators)), \(Wording.time(from: &generator)): \(clauses)"
  }
}
