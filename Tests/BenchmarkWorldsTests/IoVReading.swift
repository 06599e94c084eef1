import Datasets
import Testing

/// A second implementation of the world, independent of the library: reads the facts from an episode's texts
/// by keywords, and has its own tables of the consequences. All names are those of the options.
struct IoVReading {
  let episode: Episode

  static let vehicles = ["bus", "van", "truck", "taxi"]
  private static let agents = ["pedestrian", "cyclist", "child", "dog"] + vehicles

  private func clauses(_ input: String) throws -> [String] {
    let text = try #require(episode.inputs[input]).lowercased()
    let clauses = text.split { $0 == "." || $0 == "," }.map { $0.trimmingPrefix(" ") }.map(String.init)
    #expect(clauses.count == 3)
    return clauses
  }

  private func agent(in clause: String) -> String? {
    let found = Self.agents.filter { clause.contains($0) }
    return found.count == 1 ? found[0] : nil
  }

  private func contains(_ text: String, anyOf words: String...) -> Bool {
    words.contains { text.contains($0) }
  }

  /// The agent in our lane.
  func hazard() throws -> String {
    let ahead = try clauses("scene").filter { $0.contains("our lane") }
    #expect(ahead.count == 1)
    let clause = try #require(ahead.first)
    return try #require(agent(in: clause))
  }

  /// The prediction for `agent`.
  func prediction(of agent: String) throws -> String {
    let clauses = try clauses("motion")
    let clause = try #require(clauses.first { self.agent(in: $0) == agent })
    if clause.contains("turning") { return "turns off" }
    if contains(clause, anyOf: "braking", "stopping") { return "stops" }
    try #require(contains(clause, anyOf: "straight", "pace"))
    return "keeps going"
  }

  /// The car's manoeuvre.
  func manoeuvre(hazard: String, prediction: String) throws -> String {
    let text = try clauses("conditions").joined(separator: ";")
    let isRed = contains(text, anyOf: "red light", "on red")
    let isSlippery = contains(text, anyOf: "icy", "slippery")
    let isFree = contains(text, anyOf: "free", "empty")
    #expect(isRed != contains(text, anyOf: "green"))
    #expect(isSlippery != contains(text, anyOf: "dry", "good grip"))
    #expect(isFree != contains(text, anyOf: "full", "busy"))
    if isRed { return "brake" }
    let isVehicle = Self.vehicles.contains(hazard)
    let canPass = isFree && !isSlippery
    // By prediction: the manoeuvre for vehicles, and that for others.
    let table = [
      "stops": (canPass ? "overtake" : "brake", "brake"),
      "keeps going": ("follow", canPass ? "overtake" : "follow"),
      "turns off": ("hold speed", "hold speed"),
    ]
    let row = try #require(table[prediction])
    return isVehicle ? row.0 : row.1
  }

  /// The action for the trip.
  func action(manoeuvre: String) throws -> String {
    let request = try #require(episode.inputs["request"])
    let message = try #require(episode.inputs["v2x"])
    let isHurried = contains(request, anyOf: "hurry", "must not miss")
    #expect(isHurried != contains(request, anyOf: "No rush", "gently", "smooth"))
    let leftIsClosed = message.lowercased().contains("left lane closed")
    #expect(leftIsClosed != message.lowercased().contains("our lane closed"))
    if manoeuvre == "brake" { return "announce a delay" }
    guard leftIsClosed == (manoeuvre == "overtake") else { return "keep the route" }
    return isHurried ? "take the detour" : "merge early"
  }
}
