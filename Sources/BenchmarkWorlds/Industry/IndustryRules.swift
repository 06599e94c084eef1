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

  /// The risk for people if the pump fails beside `surroundings`: a matrix of the severity of the harm and the exposure
  /// to it, the elements of risk in ISO 12100.
  package static func risk(_ failure: Fault.Failure, beside surroundings: Surroundings) -> Risk {
    switch failure.severity + surroundings.exposure {
    case ...1: .low
    case 2: .raised
    default: .high
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
  package enum Failure: CaseIterable, Sendable {
    case flungParts, leak, hotBearing

    /// 0...2: people slip on what leaks, are burnt by a hot bearing, and are killed by flung parts.
    var severity: Int {
      switch self {
      case .leak: 0
      case .hotBearing: 1
      case .flungParts: 2
      }
    }
  }

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
package enum Surroundings: CaseIterable, Sendable {
  case nobody, passers, workers

  /// 0...2: how long people are there.
  var exposure: Int {
    switch self {
    case .nobody: 0
    case .passers: 1
    case .workers: 2
    }
  }
}

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
