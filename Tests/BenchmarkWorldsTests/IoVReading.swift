import Datasets
import Testing

/// A second implementation, independent of the library: reads the facts from an episode's texts by keywords, and has
/// its own tables of the consequences. All names are those of the options.
struct IoVReading {
  let episode: Episode

  fileprivate enum Heading {
    case ours, left, stop

    var words: [String] {
      switch self {
      case .ours: ["Otherwise", "stay in our lane", "Our lane", "From our lane"]
      case .left: ["overtak", "eft lane"]
      case .stop: ["brak", "stop"]
      }
    }
  }

  private static let kinds = ["car", "taxi", "van", "truck", "bus", "motorbike", "moped", "bicycle"]
  static let twoWheels = ["motorbike", "moped", "bicycle"]

  private func text(_ input: String) throws -> String {
    try #require(episode.inputs[input])
  }

  private func clauses(_ input: String) throws -> [String] {
    try text(input).lowercased().split { $0 == "." || $0 == ";" }.map { String($0.trimmingPrefix(" ")) }
  }

  private func kind(in clause: String) throws -> String {
    try #require(Self.kinds.first { clause.hasPrefix($0 + " ") })
  }

  private func contains(_ text: String, anyOf words: String...) -> Bool {
    words.contains { text.contains($0) }
  }

  /// The vehicle ahead in our lane.
  func hazard() throws -> String {
    let ahead = try clauses("scene").filter { $0.contains("our lane") }
    #expect(ahead.count == 1)
    return try kind(in: #require(ahead.first))
  }

  /// The prediction for the vehicle `kind`.
  func prediction(of kind: String) throws -> String {
    let clauses = try clauses("motion").filter { $0.hasPrefix(kind + " ") }
    try #require(clauses.count == 1)
    let clause = clauses[0]
    if clause.contains(" turn") { return "turns off" }
    if contains(clause, anyOf: "stopped", "at a stop", "braking", "stopping") { return "stops" }
    try #require(contains(clause, anyOf: "straight on", "pace"))
    return "keeps going"
  }

  /// The car's manoeuvre.
  func manoeuvre(hazard: String, prediction: String) throws -> String {
    let text = try text("conditions").lowercased()
    let isRed = contains(text, anyOf: "red light", "on red")
    let isSlippery = contains(text, anyOf: "wet", "slippery")
    let isFree = contains(text, anyOf: "free", "empty")
    #expect(isRed != contains(text, anyOf: "green"))
    #expect(isSlippery != contains(text, anyOf: "dry", "good grip"))
    #expect(isFree != contains(text, anyOf: "full", "busy"))
    if isRed { return "brake" }
    let canPass = isFree
    // By prediction: the manoeuvre for two-wheelers, and that for others.
    let table = [
      "stops": (canPass ? "overtake" : "brake", canPass ? "overtake" : "brake"),
      "keeps going": ("follow", "follow"),
      "turns off": ("follow", "hold speed"),
    ]
    let row = try #require(table[prediction])
    return Self.twoWheels.contains(hazard) ? row.0 : row.1
  }

  /// The street that the passenger refuses, if any.
  func refused() throws -> String? {
    let request = try text("request")
    guard contains(request, anyOf: "Not through", "Avoid", "Anything but") else { return nil }
    let streets = try #require(episode.tasks["route"]).options.filter { request.contains($0) }
    #expect(streets.count == 1)
    return streets.first
  }

  /// The street of each route, and by how many minutes it is slower, under the heading for staying in our lane, overtaking or stopping.
  fileprivate func times(_ heading: Heading) throws -> [(street: String, minutes: Int)] {
    let parts = try text("roads").split(separator: ".").map(String.init)
    #expect(parts.count == 3)
    let found = parts.filter { part in
      let title = String(part.split(separator: ":")[0])
      return heading.words.contains { title.contains($0) }
    }
    try #require(found.count == 1)
    return try found[0].split(separator: ":")[1].split(separator: ",").map { route in
      let words = route.split(separator: " ").map(String.init)
      if words.last == "fastest" || words.last == "quickest" {
        return (words.dropLast().joined(separator: " "), 0)
      }
      try #require(words.count >= 4 && words.suffix(2) == ["min", "slower"])
      return (words.dropLast(3).joined(separator: " "), try #require(Int(words[words.count - 3])))
    }
  }

  /// The route for a manoeuvre.
  func route(manoeuvre: String) throws -> String {
    let heading: Heading = ["overtake": .left, "brake": .stop][manoeuvre] ?? .ours
    let refused = try refused()
    let routes = try times(heading).filter { $0.street != refused }
    let least = try #require(routes.map(\.minutes).min())
    let fastest = routes.filter { $0.minutes == least }
    #expect(fastest.count == 1)
    return fastest[0].street
  }

  /// Whether a stop changes the fastest route from our lane.
  func routePattern() throws -> String {
    func fastest(_ heading: Heading) throws -> String {
      try #require(times(heading).min { $0.minutes < $1.minutes }).street
    }
    return try fastest(.ours) == fastest(.stop) ? "same" : "changed"
  }
}

extension IoVReading {
  /// The purpose of each street: fastest or slower, from our lane now or from the left lane.
  func routeNames() throws -> [String: String] {
    var names: [String: String] = [:]
    for (lane, heading) in [("ours", Heading.ours), ("left", .left)] {
      let routes = try times(heading).sorted { $0.minutes < $1.minutes }
      names[routes[0].street] = lane + " fast"
      names[routes[1].street] = lane + " slow"
    }
    return names
  }
}
