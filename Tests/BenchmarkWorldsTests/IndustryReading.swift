import Datasets
import Testing

/// A second implementation of the `industry` world, independent of the library: reads the facts from an episode's
/// texts, and has its own tables of the consequences. All names are those of the options.
struct IndustryReading {
  let episode: Episode

  /// What the strongest part of the spectrum belongs to.
  func fault() throws -> String {
    let text = try Texts.text(episode, "spectrum")
    // A weak line is called so.
    let strong = text.split(separator: ": ")[1].split(separator: ";").filter { !$0.contains("only") }
    try #require(strong.count == 1)
    return try Texts.meaning(
      of: String(strong[0]),
      [
        "bearing defect": ["race"], "unbalance": [" 1x"], "misalignment": [" 2x"],
        "looseness": ["half orders"], "cavitation": ["suction", "vane pass"],
        "poor lubrication": ["bearing at"],
      ])
  }

  /// Integrates the growth of the vibration in small steps until the pump must stop.
  func life(_ fault: String) throws -> String {
    let text = try Texts.text(episode, "trend")
    let (levels, rates) = (text.firstMatch(of: /vibration ([0-9.]+) mm/), text.firstMatch(of: /([0-9]+) %/))
    let level = try #require(levels.flatMap { Double($0.1) })
    let growth = try #require(rates.flatMap { Double($0.1) }) / 100
    let named = try Texts.meaning(
      of: text,
      ["slow": ["slowly", "creeping"], "steady": ["clearly", "climbing"], "steep": ["steeply", "doubled"]])
    #expect(named == (growth < 0.2 ? "slow" : growth < 0.6 ? "steady" : "steep"))
    let exponent = ["unbalance": -1, "misalignment": -1, "looseness": 1, "cavitation": 1][fault] ?? 3
    func power(_ base: Double) -> Double {
      exponent == -1 ? 1 / base : exponent == 1 ? base : base * base * base
    }
    let factor = growth * level / power(level)
    var (now, weeks) = (level, 0.0)
    while now < 11, weeks < 10 {
      // The midpoint method.
      let middle = now + 0.0025 * factor * power(now)
      now += 0.005 * factor * power(middle)
      weeks += 0.005
    }
    return weeks < 2 ? "days" : weeks < 9.99 ? "weeks" : "months"
  }

  func risk(_ fault: String) throws -> String {
    let place = try Texts.meaning(
      of: try Texts.text(episode, "site"),
      [
        "nobody": ["locked store", "empty yard", "closed bay"], "passers": ["walkway", "stair", "passage"],
        "workers": ["manned desk", "workbench", "packing crew"],
      ])
    // By place: the risk of flung parts, of a leak and of a hot bearing.
    let table = [
      "nobody": ["raised", "low", "low"], "passers": ["high", "low", "raised"],
      "workers": ["high", "raised", "high"],
    ]
    let column = ["unbalance": 0, "looseness": 0, "misalignment": 1, "cavitation": 1][fault] ?? 2
    return try #require(table[place])[column]
  }

  func action(life: String, risk: String) throws -> String {
    let text = try Texts.text(episode, "message")
    // Production says how busy it is, which does not matter.
    _ = try Texts.meaning(
      of: text,
      [
        "busy": ["behind schedule", "must go out", "every hour"],
        "quiet": ["slack", "little to do", "ahead of schedule"],
      ])
    let isThere =
      try Texts.meaning(of: text, ["there": ["in store", "is here"], "not": ["on order", "next week"]])
      == "there"
    if risk == "high" { return "stop at once" }
    let table = [
      "days": isThere ? "repair tonight" : "run at half load", "weeks": "plan a repair",
      "months": "keep running",
    ]
    return try #require(table[life])
  }
}
