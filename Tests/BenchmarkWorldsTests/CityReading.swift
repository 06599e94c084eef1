import Datasets
import Testing

/// A second implementation of the `city` world, independent of the library: reads the facts from an episode's texts,
/// and has its own tables of the consequences. All names are those of the options.
struct CityReading {
  let episode: Episode

  /// What happened, from the figures and what goes with them.
  func event() throws -> String {
    let text = try Texts.text(episode, "readings")
    let isZero = text.contains("no vehicles") || text.contains("at zero")
    let isUsual = text.contains("as always") || text.contains("normal")
    #expect(isZero == isUsual)
    if isZero { return "dead detector" }
    let counts = try #require(
      text.firstMatch(of: /([0-9]+) (?:vehicles, (?:below|far above) the usual|against) ([0-9]+)/))
    let (now, usual) = (try #require(Int(counts.1)), try #require(Int(counts.2)))
    if now > usual { return "crowd" }
    return try Texts.meaning(
      of: text,
      [
        "crash": ["sudden", "abruptly"], "roadworks": ["for days"], "rain": ["district"],
        "dark signals": ["four arms"],
      ])
  }

  func severity(_ event: String) throws -> String {
    let demand = try Texts.meaning(
      of: try Texts.text(episode, "demand"),
      ["0": ["calm", "far below"], "1": ["average", "somewhat below"], "2": ["rush", "close to"]])
    let harm = ["rain": 0, "dead detector": 0, "crash": 1, "crowd": 1][event] ?? 2
    // Each step of demand or harm is a step of severity, from the second one on.
    let step = try #require(Int(demand)) + harm
    return ["minor", "minor", "serious", "severe", "severe"][step]
  }

  /// The places between which something is unusual, as the words in the text that come first and last.
  func stretch() throws -> String {
    let text = try Texts.text(episode, "clues")
    var places: [String] = []
    for (name, words) in [
      ("upstream", ["upstream", "before us"]), ("here", ["here", "at our junction"]),
      ("downstream", ["downstream", "after us"]),
    ] where words.contains(where: { text.lowercased().contains($0) }) {
      places.append(name)
    }
    try #require(places.count == 2)
    return places.joined(separator: "-")
  }

  func origin(_ event: String) throws -> String {
    let table = [
      "upstream-here": ["here", "upstream"], "here-downstream": ["downstream", "here"],
      "upstream-downstream": ["downstream", "upstream"],
    ]
    let travels = ["crowd", "rain", "dead detector"].contains(event)
    return try #require(table[try stretch()])[travels ? 1 : 0]
  }

  func dispatch(severity: String, origin: String) throws -> String {
    let text = try Texts.text(episode, "means")
    let patrol = try Texts.meaning(
      of: text, ["free": ["is free", "waits at"], "none": ["are out", "no patrol"]])
    let sign = try Texts.meaning(of: text, ["on": ["sign works", "is on"], "off": ["broken", "dark"]])
    switch (severity, origin) {
    case ("minor", _): return "keep watching"
    case (_, "here") where patrol == "free": return "send a patrol"
    case (_, "downstream") where sign == "on": return "divert traffic"
    default: return "retime signals"
    }
  }
}
