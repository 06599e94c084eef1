/// The phrases for each fact, several per fact. No phrase describes two facts, so a text is unambiguous.
/// Phrases avoid the words of the answers where these would give the answer away.
enum IoVLanguage {
  /// The hazard's location.
  static let inOurLane = ["ahead in our lane", "in our lane"]

  /// Locations where an agent is not a hazard.
  static func aside(leftLane: LeftLane) -> [String] {
    let places = ["on the side road", "behind us", "across the street", "on the pavement", "at the kerb"]
    return leftLane == .busy ? places + ["in the left lane"] : places
  }

  static func cue(_ cue: Cue) -> [String] {
    switch cue {
    case .braking: ["braking", "stopping"]
    case .steady: ["going straight on", "keeping its pace"]
    case .turning: ["turning right", "turning off"]
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
    case .poor: ["icy road", "slippery road"]
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

  static func request(_ wish: Wish, event: String, time: String) -> [String] {
    switch wish {
    case .hurry:
      [
        "Please hurry, my \(event) is at \(time).", "Quick, I must not miss the \(event) at \(time)!",
        "I am late for my \(event) at \(time), hurry!",
      ]
    case .comfort:
      [
        "No rush, my \(event) is at \(time).", "Drive gently, the \(event) at \(time) can wait.",
        "A smooth ride, please; the \(event) is at \(time).",
      ]
    }
  }

  static let obstacles = ["roadworks", "a breakdown", "debris", "a burst pipe", "a crane", "flooding"]

  static func message(_ closure: Closure, metres: Int, obstacle: String) -> [String] {
    let lane = closure == .leftLane ? "left lane" : "our lane"
    return [
      "\(lane) closed in \(metres) m by \(obstacle).",
      "\(obstacle) in \(metres) m, \(lane) closed.",
    ]
  }

  static func question(_ task: String) -> String {
    switch task {
    case "perceive": "Which agent is in our lane?"
    case "predict": "What does it do next?"
    case "decide": "What should we do?"
    default: "What about the trip?"
    }
  }
}
