/// The words of the world: each fact in several ways. No phrase serves two facts, so a text always says
/// which fact holds; the answers' own words are avoided where they would give the answer away.
enum IoVLanguage {
  static func option(_ agent: Agent) -> String {
    switch agent {
    case .pedestrian: "pedestrian"
    case .cyclist: "cyclist"
    case .scooterRider: "scooter rider"
    case .roadWorker: "road worker"
    case .bus: "city bus"
    case .van: "delivery van"
    case .truck: "heavy truck"
    case .taxi: "taxi"
    }
  }

  /// Where the hazard is.
  static let inOurLane = "ahead in our lane"

  /// Where an agent is no hazard.
  static func aside(_ agent: Agent, leftLane: LeftLane) -> [String] {
    var places = ["on the side road", "behind us", "across the street", "at the crossing"]
    if leftLane == .busy { places.append("in the left lane") }
    if agent.group == .unprotected { places += ["on the pavement", "on the traffic island"] }
    return places
  }

  static func cue(_ cue: Cue, of agent: Agent) -> [String] {
    switch (cue, agent.group) {
    case (.braking, .motor): ["slowing to a halt", "braking hard"]
    case (.braking, .unprotected): ["slowing to a halt", "coming to rest"]
    case (.steady, _): ["moving at an even pace", "moving straight on"]
    case (.turning, .motor): ["pulling over to the side", "signalling right"]
    case (.turning, .unprotected): ["heading for the kerb", "pointing to the right"]
    case (.unsteady, _): ["weaving about", "zigzagging"]
    }
  }

  static func light(_ light: Light) -> [String] {
    switch light {
    case .red: ["the traffic light is red", "the signal shows red"]
    case .green: ["the traffic light is green", "the signal shows green"]
    }
  }

  static func grip(_ grip: Grip) -> [String] {
    switch grip {
    case .good: ["the road is dry", "a dry road and mild weather", "the surface is dry and even"]
    case .poor: ["the road is icy", "wet leaves make the road slippery", "snow lies on the road"]
    }
  }

  static func visibility(_ metres: Int) -> [String] {
    ["visibility is \(metres) m", "we can see \(metres) m"]
  }

  static func leftLane(_ lane: LeftLane, _ metres: Int) -> [String] {
    switch lane {
    case .free: ["the left lane is free for \(metres) m", "the left lane is empty over \(metres) m"]
    case .busy: ["the left lane is full for \(metres) m", "a queue fills the left lane over \(metres) m"]
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
        "Please hurry, my \(event) is at \(time).", "I am late for my \(event) at \(time), be quick!",
        "Step on it, the \(event) at \(time) will not wait.",
        "Quick, I must not miss the \(event) at \(time).",
      ]
    case .comfort:
      [
        "No rush, my \(event) is only at \(time).", "I feel queasy; drive gently to my \(event) at \(time).",
        "Take it easy, the \(event) at \(time) can wait.",
        "A smooth ride, please; the \(event) is at \(time).",
      ]
    }
  }

  static let obstacles = ["roadworks", "a breakdown", "debris", "a burst pipe", "a crane", "flooding"]

  static func message(_ closure: Closure, unit: Int, metres: Int, obstacle: String) -> [String] {
    let (closed, open) = closure == .leftLane ? ("left lane", "our lane") : ("our lane", "left lane")
    return [
      "Unit \(unit): \(closed) closed in \(metres) m, \(obstacle); \(open) open.",
      "Unit \(unit): \(open) open, \(closed) closed in \(metres) m by \(obstacle).",
      "Sender \(unit): \(obstacle) in \(metres) m, \(closed) shut, \(open) open.",
      "Sender \(unit): in \(metres) m \(open) stays open but \(closed) is shut, \(obstacle).",
    ]
  }

  static func question(_ task: String) -> String {
    switch task {
    case "perceive": "Which agent is ahead in our lane?"
    case "predict": "What does the hazard do next?"
    case "decide": "What should we do?"
    default: "What about the trip?"
    }
  }
}
