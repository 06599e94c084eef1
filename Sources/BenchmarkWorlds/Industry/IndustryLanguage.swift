import SeededRandom

/// The phrases for each fact, several per fact. No phrase describes two facts, so a text is unambiguous.
enum IndustryLanguage {
  /// The part of the spectrum by which `fault` shows.
  static func sign(_ fault: Fault, _ pump: Pump, isOuterRace: Bool) -> [String] {
    let velocity = velocity(pump, fault)
    let order = Wording.decimal(isOuterRace ? pump.outerRaceOrder : pump.innerRaceOrder, decimals: 2)
    let race = isOuterRace ? "outer" : "inner"
    switch fault {
    case .unbalance:
      return ["strong 1x shaft speed, \(velocity)", "radial \(velocity) at 1x, both ends in phase"]
    case .misalignment:
      return ["strong 2x shaft speed, \(velocity)", "axial \(velocity) at 2x across the coupling"]
    case .looseness:
      return [
        "strong half orders, 0.5x and 1.5x, \(velocity)", "\(velocity) in half orders, feet out of phase",
      ]
    case .cavitation:
      return [
        "strong crackling at the suction, \(velocity)", "random \(velocity) around vane pass, like gravel",
      ]
    case .bearing:
      return [
        "strong \(order)x, the \(race) race frequency, \(velocity)",
        "\(velocity) at \(order)x with harmonics, \(race) race",
      ]
    case .lubrication:
      return [
        "strong hiss above 5 kHz, bearing at \(pump.temperature) °C",
        "bearing at \(pump.temperature) °C, high-frequency noise without lines",
      ]
    }
  }

  /// The same part of the spectrum of a pump without that fault.
  static func absence(_ fault: Fault, _ pump: Pump) -> String {
    let velocity = velocity(pump, fault)
    switch fault {
    case .unbalance: return "1x only \(velocity)"
    case .misalignment: return "2x only \(velocity)"
    case .looseness: return "half orders only \(velocity)"
    case .cavitation: return "vane pass only \(velocity)"
    case .bearing: return "race frequencies only \(velocity)"
    case .lubrication: return "bearing only at \(pump.temperature) °C"
    }
  }

  private static func velocity(_ pump: Pump, _ fault: Fault) -> String {
    Wording.decimal(pump.lines[fault] ?? 0, decimals: 2) + " mm/s"
  }

  static func growth(_ growth: Growth, percent: Int) -> [String] {
    switch growth {
    case .slow: ["up slowly, \(percent) % in a week", "creeping up by \(percent) % a week"]
    case .steady: ["up clearly, \(percent) % in a week", "climbing by \(percent) % a week"]
    case .steep: ["up steeply, \(percent) % in a week", "more than doubled, \(percent) % in a week"]
    }
  }

  static let trendRemarks = [
    "speed unchanged", "oil level normal", "flow as usual", "seal water fine", "sensor checked",
    "motor current even",
  ]

  static func surroundings(_ surroundings: Surroundings) -> [String] {
    switch surroundings {
    case .nobody: ["a locked store", "an empty yard", "a closed bay"]
    case .passers: ["a walkway", "a stair", "a passage"]
    case .workers: ["a manned desk", "a busy workbench", "a packing crew"]
    }
  }

  static let siteRemarks = [
    "floor dry", "good light", "door to the yard", "crane above", "noise zone", "guards in place",
  ]

  static func load(_ load: Load) -> [String] {
    switch load {
    case .busy: ["we are behind schedule", "the order must go out", "every hour counts"]
    case .quiet: ["the line has slack", "there is little to do", "we are ahead of schedule"]
    }
  }

  static func spare(_ spare: Spare) -> [String] {
    switch spare {
    case .inStore: ["the parts are in store", "the spare kit is here"]
    case .onOrder: ["the parts are on order", "the spare kit comes next week"]
    }
  }

  static let messageRemarks = [
    "shift change went well", "the crane is free", "the visitors left", "the filter is new",
    "the gauge was read",
    "the log is up to date",
  ]

  static let operators = [
    "Adams", "Baker", "Costa", "Dietz", "Evans", "Farah", "Gupta", "Haas", "Ito", "Jansen", "Kaya", "Lopez",
  ]
}
