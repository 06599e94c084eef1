import Foundation

/// The rules behind the `industry` data. Every gold answer is computed here and nowhere else.
package enum IndustryRules {
  /// The overall vibration velocity, in mm/s, at which a pump must not run: the limit of zone D for large machines in
  /// ISO 10816-3 is 11.
  package static let limit = 11.0

  /// How long a pump with `fault` may still run.
  ///
  /// - Parameters:
  ///   - level: the overall vibration velocity in mm/s, below ``limit``.
  ///   - growth: its relative growth per week, now.
  package static func life(_ fault: Fault, level: Double, growth: Double) -> Life {
    let weeks = weeksLeft(exponent: fault.growthExponent, level: level, growth: growth)
    return weeks < 2 ? .days : weeks < 10 ? .weeks : .months
  }

  /// The weeks until the level reaches ``limit`` if it grows as `dv/dt = c v^p`, where `c` follows from the growth now:
  /// the integral of `v^-p / c` from the level to the limit. With `p = 3` it is the law of fatigue cracks by Paris.
  package static func weeksLeft(exponent p: Int, level: Double, growth: Double) -> Double {
    let ratio = limit / level
    if p == 1 { return log(ratio) / growth }
    return (pow(ratio, Double(1 - p)) - 1) / (Double(1 - p) * growth)
  }

  /// The risk for people and plant if the pump fails beside `surroundings`.
  package static func risk(_ failure: Fault.Failure, beside surroundings: Surroundings) -> Risk {
    switch (failure, surroundings) {
    // Flung parts hit people; they strike sparks near solvents; the switchgear is in a steel cabinet.
    case (.flungParts, .people): .high
    case (.flungParts, .solvents): .raised
    case (.flungParts, .switchgear): .low
    // Water reaches live parts; people slip; solvents do not mind.
    case (.leak, .switchgear): .high
    case (.leak, .people): .raised
    case (.leak, .solvents): .low
    // A hot bearing ignites vapour; it chars cables; nobody touches it.
    case (.hotBearing, .solvents): .high
    case (.hotBearing, .switchgear): .raised
    case (.hotBearing, .people): .low
    }
  }

  /// What to do with the pump.
  ///
  /// A high risk stops it at once. Otherwise, a pump that lasts for days is repaired tonight, or relieved until the spare
  /// parts are there; one that lasts for weeks gets a planned repair; one that lasts for months keeps running. How much
  /// production needs the pump changes nothing.
  package static func action(_ life: Life, _ risk: Risk, spare: Spare) -> Action {
    switch (life, risk) {
    case (_, .high): .stop
    case (.days, _): spare == .inStore ? .repairTonight : .halfLoad
    case (.weeks, _): .planRepair
    case (.months, _): .keepRunning
    }
  }
}

/// What is wrong with a pump.
package enum Fault: String, WorldAnswer {
  case unbalance, misalignment, looseness, cavitation
  case bearing = "bearing defect"
  case lubrication = "poor lubrication"

  /// The exponent `p` of the law by which its vibration grows.
  ///
  /// Deposits and misalignment level off, looseness and cavitation feed on themselves, and a spalled or dry bearing runs
  /// away.
  package var growthExponent: Int {
    switch self {
    case .unbalance, .misalignment: -1
    case .looseness, .cavitation: 1
    case .bearing, .lubrication: 3
    }
  }

  /// How a pump fails.
  package enum Failure: CaseIterable, Sendable { case flungParts, leak, hotBearing }

  package var failure: Failure {
    switch self {
    case .unbalance, .looseness: .flungParts
    case .misalignment, .cavitation: .leak
    case .bearing, .lubrication: .hotBearing
    }
  }
}

/// How fast the vibration grows.
package enum Growth: CaseIterable, Sendable { case slow, steady, steep }

/// What is beside the pump.
package enum Surroundings: CaseIterable, Sendable { case people, solvents, switchgear }

/// How much production needs the pump.
package enum Load: CaseIterable, Sendable { case busy, quiet }

/// Whether the spare parts are there.
package enum Spare: CaseIterable, Sendable { case inStore, onOrder }

/// How long the pump lasts.
package enum Life: String, WorldAnswer { case days, weeks, months }

/// How bad a failure would be.
package enum Risk: String, WorldAnswer { case low, raised, high }

/// What is done with the pump.
package enum Action: String, WorldAnswer {
  case stop = "stop at once"
  case repairTonight = "repair tonight"
  case halfLoad = "run at half load"
  case keepRunning = "keep running"
  case planRepair = "plan a repair"
}
