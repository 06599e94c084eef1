import Datasets
import Testing

/// The world once more, written apart from the library: reads the facts out of an episode's texts by
/// keywords, and has its own tables of what follows. All names are the words of the options.
struct IoVReading {
  let episode: Episode

  private static let keywords = [
    "pedestrian": ["pedestrian"], "cyclist": ["cyclist"], "scooter rider": ["scooter"],
    "road worker": ["road worker"], "city bus": ["bus"], "delivery van": ["van"],
    "heavy truck": ["truck"], "taxi": ["taxi"],
  ]

  private func clauses(_ input: String) throws -> [String] {
    let text = try #require(episode.inputs[input]).lowercased()
    return text.split { $0 == "." || $0 == ";" }.map { $0.trimmingPrefix(" ") }.map(String.init)
  }

  private func agent(in clause: String) -> String? {
    let found = Self.keywords.filter { $0.value.contains { clause.contains($0) } }.map(\.key)
    return found.count == 1 ? found[0] : nil
  }

  private func contains(_ text: String, anyOf words: String...) -> Bool {
    words.contains { text.contains($0) }
  }

  /// The agent ahead in our lane.
  func hazard() throws -> String {
    let clauses = try clauses("scene")
    #expect(clauses.count == 4)
    let ahead = clauses.filter { contains($0, anyOf: "ahead", "in front of us") }
    #expect(ahead.count == 1)
    let clause = try #require(ahead.first)
    return try #require(agent(in: clause))
  }

  /// What `agent` does next.
  func prediction(of agent: String) throws -> String {
    let clauses = try clauses("motion")
    #expect(clauses.count == 5)
    let isRed = clauses.contains { contains($0, anyOf: "is red", "shows red", "on red") }
    let clause = try #require(clauses.first { self.agent(in: $0) == agent })
    if contains(clause, anyOf: "weaving", "wobbling", "zigzagging") { return "swerves suddenly" }
    if contains(clause, anyOf: "side", "edging", "signalling", "kerb", "pointing") {
      return "leaves our lane"
    }
    if isRed { return "stops at the light" }
    if contains(clause, anyOf: "halt", "losing", "braking", "rest") { return "stops in our lane" }
    try #require(clause.contains("moving"))
    return "keeps going ahead"
  }

  /// What the car does.
  func manoeuvre(hazard: String, prediction: String) throws -> String {
    let text = try clauses("conditions").joined(separator: ";")
    let isSlippery = contains(text, anyOf: "icy", "wet", "rain", "snow", "oil")
    let isFree = contains(text, anyOf: "free", "nobody", "empty")
    #expect(isSlippery != contains(text, anyOf: "dry"))
    #expect(isFree != contains(text, anyOf: "full", "dense", "queue"))
    let isVehicle = ["city bus", "delivery van", "heavy truck", "taxi"].contains(hazard)
    // By prediction: on a slippery road, for unprotected agents, for vehicles; with a free left lane.
    let table = [
      "stops at the light": ("brake", "brake", "brake"),
      "stops in our lane": ("brake", "brake", isFree ? "overtake" : "brake"),
      "keeps going ahead": ("follow", isFree ? "overtake" : "follow", "follow"),
      "leaves our lane": ("follow", "hold", "hold"),
      "swerves suddenly": ("brake", "brake", "follow"),
    ]
    let row = try #require(table[prediction])
    let verb = isSlippery ? row.0 : isVehicle ? row.2 : row.1
    return try #require(
      [
        "brake": "brake to a stop", "follow": "follow at a distance", "overtake": "overtake on the left",
        "hold": "hold our speed",
      ][verb])
  }

  /// What is done about the trip.
  func action(manoeuvre: String) throws -> String {
    let request = try #require(episode.inputs["request"])
    let message = try #require(episode.inputs["v2x"])
    let isHurried = contains(request, anyOf: "hurry", "late", "Step on it", "must not miss")
    #expect(isHurried != contains(request, anyOf: "No rush", "gently", "Take it easy", "smooth"))
    let leftIsClosed = contains(message, anyOf: "left lane closed", "left lane shut", "left lane is shut")
    #expect(leftIsClosed != contains(message, anyOf: "our lane closed", "our lane shut", "our lane is shut"))
    switch (manoeuvre, isHurried, leftIsClosed) {
    case ("brake to a stop", true, _): return "announce a delay"
    case ("brake to a stop", false, _): return "offer a rest stop"
    case ("overtake on the left", _, true), ("hold our speed", _, false): return "merge before the closure"
    case ("follow at a distance", _, false), ("follow at a distance", true, true): return "take the detour"
    default: return "keep the route"
    }
  }
}
