import SeededRandom

/// The phrases for each fact, several per fact. No phrase describes two facts, so a text is unambiguous.
enum CityLanguage {
  /// What the count at the detector shows, with the count now and usually.
  static func count(_ event: Event, now: Int, usual: Int) -> [String] {
    switch event {
    case .crowd:
      ["\(now) vehicles, far above the usual \(usual)", "far more than usual, \(now) against \(usual)"]
    case .deadDetector: ["no vehicles, usually \(usual)", "count at zero instead of \(usual)"]
    case .crash, .roadworks, .rain, .darkSignals:
      ["\(now) vehicles, below the usual \(usual)", "fewer than usual, \(now) against \(usual)"]
    }
  }

  /// What the travel time shows, in seconds.
  static func travelTime(_ event: Event, now: Int, usual: Int) -> [String] {
    event == .deadDetector
      ? ["travel time normal, \(now) s", "\(now) s of travel as always"]
      : ["travel time up from \(usual) to \(now) s", "\(now) s of travel instead of \(usual)"]
  }

  /// What else tells slow traffic of one kind from that of another. A crowd and a dead detector need no more.
  static func circumstance(_ event: Event, minutes: Int) -> [String] {
    switch event {
    case .crash: ["all of a sudden \(minutes) min ago", "abruptly \(minutes) min ago"]
    case .roadworks: ["one lane empty for days", "for days, one lane unused"]
    case .rain: ["all roads of the district alike", "the whole district slow"]
    case .darkSignals: ["all four arms take turns", "stop and go on all four arms"]
    case .crowd, .deadDetector: []
    }
  }

  static let readingRemarks = [
    "few trucks", "buses on time", "air quality good", "trams running", "bike lane open",
    "car park half full",
  ]

  static func demand(_ demand: Demand) -> [String] {
    switch demand {
    case .calm: ["a calm hour", "far below the daily peak"]
    case .normal: ["an average hour", "somewhat below the daily peak"]
    case .peak: ["a rush hour", "close to the daily peak"]
    }
  }

  static let demandRemarks = [
    "school is on", "no holiday", "shops open", "market closed", "fair weather week",
    "ticket prices unchanged",
  ]

  static func origin(_ origin: Origin) -> [String] {
    switch origin {
    case .upstream: ["upstream", "before us"]
    case .here: ["here", "at our junction"]
    case .downstream: ["downstream", "after us"]
    }
  }

  /// Where an event is felt, between two places.
  static func stretch(from first: String, to last: String) -> [String] {
    [
      "unusual from \(first) to \(last)", "felt between \(first) and \(last)",
      "\(first) to \(last) not normal",
    ]
  }

  static let clueRemarks = [
    "side roads clear", "cameras on", "no calls yet", "tram lane free", "lights on", "wind from the west",
  ]

  static func patrol(isFree: Bool) -> [String] {
    isFree
      ? ["a patrol is free", "a patrol waits at the depot"] : ["all patrols are out", "no patrol is left"]
  }

  static func sign(works: Bool) -> [String] {
    works
      ? ["the message sign works", "the message sign is on"]
      : ["the message sign is broken", "the message sign is dark"]
  }

  static let meansRemarks = [
    "radio clear", "helicopter away", "depot staffed", "press informed", "cameras on", "phones quiet",
  ]
}
