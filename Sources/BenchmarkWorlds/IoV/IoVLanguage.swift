import SeededRandom

/// The phrases for each fact, several per fact. No phrase describes two facts, so a text is unambiguous.
enum IoVLanguage {
  static func place(_ place: SumoNeighbour.Place) -> [String] {
    switch place {
    case .ownAhead: ["ahead in our lane", "in our lane", "leading in our lane"]
    case .ownBehind: ["behind us", "at our rear", "following us"]
    case .leftAhead, .leftBehind: ["on the left", "to our left", "left of us"]
    case .rightAhead, .rightBehind: ["on the right", "to our right", "right of us"]
    case .oncoming: ["oncoming", "coming towards us", "facing us"]
    case .crossing: ["on the cross street", "on the side street", "crossing"]
    }
  }

  /// What a neighbour's signals and speed announce.
  static func cue(_ neighbour: SumoNeighbour) -> [String] {
    switch neighbour.cue {
    case .braking:
      neighbour.speed < 0.5
        ? ["stopped", "at a stop"] : ["braking", "stopping", "braking hard"]
    case .steady: ["going straight on", "keeping its pace"]
    case .turning:
      ["turning", "about to turn", "signalling a turn"].map { "\($0) \(neighbour.blinker.rawValue)" }
    }
  }

  static func light(_ light: Light) -> [String] {
    switch light {
    case .red: ["red light", "signal on red"]
    case .green: ["green light", "signal on green"]
    }
  }

  static func grip(_ grip: Grip) -> [String] {
    switch grip {
    case .good: ["dry road", "good grip"]
    case .poor: ["wet road", "slippery road"]
    }
  }

  static func leftLane(_ lane: LeftLane) -> [String] {
    switch lane {
    case .free: ["left lane free", "left lane empty"]
    case .busy: ["left lane full", "left lane busy"]
    }
  }

  static let events = [
    "train", "flight", "meeting", "concert", "exam", "appointment", "interview", "ferry", "dinner", "lecture",
    "wedding", "match",
  ]

  static func request(avoiding street: String?, event: String, time: String) -> [String] {
    guard let street else {
      return [
        "The fastest way, please; my \(event) is at \(time).",
        "Quick, I must not miss the \(event) at \(time)!",
        "I am late for my \(event) at \(time), hurry!",
        "Get me to the \(event) by \(time), any way you like.",
      ]
    }
    return [
      "Not through \(street), please; my \(event) is at \(time).",
      "Avoid \(street), and get me to the \(event) by \(time).",
      "Anything but \(street); the \(event) is at \(time).",
    ]
  }

  static let fastest = ["fastest", "quickest"]

  /// The headings of the travel times: those that apply if we stay in our lane, overtake or stop.
  struct Headings {
    let ours: [String]
    let beside: [String]
    let stopped: [String]
  }

  static func headings(_ difficulty: IoVDifficulty) -> Headings {
    switch difficulty {
    case .plain, .usual:
      Headings(
        ours: ["Otherwise", "If we stay in our lane"], beside: ["After overtaking", "If we overtake"],
        stopped: ["After braking", "If we brake"])
    case .hard:
      // The reader must know that overtaking leads into the left lane, and braking to a stop.
      Headings(
        ours: ["Our lane", "From our lane"], beside: ["Left lane", "From the left lane"],
        stopped: ["After a stop", "If we stop"])
    }
  }

  static func question(_ task: String) -> String {
    switch task {
    case "perceive": "Which one is ahead in our lane?"
    case "predict": "What does it do next?"
    case "decide": "What should we do?"
    default: "Which way do we go?"
    }
  }
}
