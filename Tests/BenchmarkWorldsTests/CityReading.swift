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

  /// The place and the text of each clause.
  private func places(_ input: String) throws -> [(place: String, clause: String)] {
    let sentence = try Texts.text(episode, input)
    return try Texts.clauses(sentence.replacing(#/^[0-9]+:[0-9]+: /#, with: "")).filter { clause in
      ["stream", "before us", "after us", "here", "at our"].contains { clause.contains($0) }
    }.map { clause in
      let place = try Texts.meaning(
        of: clause,
        [
          "upstream": ["upstream", "before us"], "here": [" here", "at our junction"],
          "downstream": ["downstream", "after us"],
        ])
      return (place, clause)
    }
  }

  /// The event that each clue makes possible, with its place.
  func candidates() throws -> [String: String] {
    var found: [String: String] = [:]
    for (place, clause) in try places("clues") {
      let event = try Texts.meaning(
        of: clause,
        [
          "crash": ["glass", "tow truck"], "roadworks": ["digg"], "crowd": ["match", "concert"],
          "rain": ["shower", "rain"], "dead detector": ["loop"], "dark signals": ["controller", "power"],
        ])
      found[event] = place
    }
    try #require(found.count == 3 && Set(found.values).count == 3)
    return found
  }

  func dispatch(severity: String, origin: String) throws -> String {
    let means = try places("means")
    try #require(means.count == 3)
    let clause = try #require(means.first { $0.place == origin }).clause
    let there = try Texts.meaning(
      of: clause,
      [
        "patrol": ["patrol car", "officer"], "sign": ["sign ", "board"],
        "signals": ["but signals", "only signals"],
      ])
    if severity == "minor" { return "keep watching" }
    switch there {
    case "patrol": return "send a patrol"
    case "sign": return "divert traffic"
    default: return "retime signals"
    }
  }
}
