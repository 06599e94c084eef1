import Foundation
import RunStore
import TextTables

/// Runs side by side. In every list, the values are in the order of the runs; differences are against the first run.
struct RunComparison: Encodable {
  /// A setting that not all runs have in common.
  struct Difference: Encodable {
    let name: String
    let values: [String?]
  }

  /// The accuracies of one task, from 0 to 1.
  struct Accuracies: Encodable {
    let task: String
    let gold, chained: [Double?]
    let goldDifferences, chainedDifferences: [Double?]

    init(_ task: String, gold: [Double?], chained: [Double?]) {
      (self.task, self.gold, self.chained) = (task, gold, chained)
      (goldDifferences, chainedDifferences) = (Self.differences(gold), Self.differences(chained))
    }

    private static func differences(_ values: [Double?]) -> [Double?] {
      values.map { value in
        guard let value, let first = values.first ?? nil else { return nil }
        // A store that somebody wrote into may have any numbers.
        let difference = value - first
        return difference.isFinite ? difference : nil
      }
    }
  }

  let runs: [RunSummary]
  let settings: [Difference]
  let accuracies: [Accuracies]
  /// Shares of episodes with every task right.
  let allRight: Accuracies
  /// Whether the accuracies are of the same data, split and number of episodes.
  let sameEpisodes: Bool
  let seconds: [Double]
  let steps: [Int]
  let tokens: [Int]

  init(_ all: [RunDetails]) {
    runs = all.map(\.summary)
    settings = Self.differences(all)
    let results = all.map { run in run.evaluations.last { !$0.isBase } ?? run.evaluations.last }
    var tasks: [String] = []
    for task in results.flatMap({ $0?.tasks.map(\.task) ?? [] }) where !tasks.contains(task) {
      tasks.append(task)
    }
    accuracies = tasks.map { task in
      let found = results.map { $0?.tasks.first { $0.task == task } }
      return Accuracies(
        task, gold: found.map { $0?.goldAccuracy }, chained: found.map { $0?.chainedAccuracy })
    }
    let shares = results.map { result -> Double? in
      guard let result, result.episodes > 0 else { return nil }
      return Double(result.allRight) / Double(result.episodes)
    }
    allRight = Accuracies("every task right", gold: shares.map { _ in nil }, chained: shares)
    let sources = results.compactMap { result in
      result.map { [$0.data, $0.split, "\($0.episodes)", "\($0.isBase)"] }
    }
    sameEpisodes = Set(sources).count <= 1
    seconds = runs.map(\.seconds)
    steps = runs.map(\.steps)
    tokens = all.map { $0.phases.reduce(0) { $0.addingReportingOverflow($1.tokens).partialValue } }
  }

  static func differences(_ all: [RunDetails]) -> [Difference] {
    let facts = all.map { run -> [(String, String)] in
      let environment = run.sessions.last?.environment
      let more: [(String, String?)] = [
        ("kind", run.summary.kind), ("model identity", run.modelIdentity.map { String($0.prefix(12)) }),
        ("data identity", run.dataIdentity.map { String($0.prefix(12)) }), ("precision", run.precision),
        ("program", environment?.program), ("processor", environment?.cpu),
        ("instruction set", environment?.instructionSet), ("threads", environment?.workers.map { "\($0)" }),
        ("ranks", environment.map { "\($0.ranks)" }),
      ]
      return run.settings.map { ($0.name, $0.value) }
        + more.compactMap { name, value in value.map { (name, $0) } }
    }
    var names: [String] = []
    var seen: Set<String> = []
    for (name, _) in facts.joined() where seen.insert(name).inserted { names.append(name) }
    let values = facts.map { Dictionary($0, uniquingKeysWith: { first, _ in first }) }
    return names.map { name in Difference(name: name, values: values.map { $0[name] }) }
      .filter { Set($0.values).count > 1 }
  }

  var text: String {
    var sections = [Self.aligned(Self.head(runs)), Self.text(settings)]
    if accuracies.isEmpty {
      sections.append("None of them was evaluated.")
    } else {
      let lines = accuracies.flatMap { task in
        [
          ["", task.task + ", gold"] + Self.cells(task.gold, task.goldDifferences),
          ["", task.task + ", chained"] + Self.cells(task.chained, task.chainedDifferences),
        ]
      }
      sections.append(
        "Accuracies in %, and differences in points\n"
          + Self.aligned(
            lines + [["", allRight.task] + Self.cells(allRight.chained, allRight.chainedDifferences)])
          + (sameEpisodes ? "" : "\n  They were evaluated on different data, splits or numbers of episodes."))
    }
    sections.append(
      "Times\n"
        + Self.aligned([
          ["", "time"] + seconds.map(RunReport.duration), ["", "steps"] + steps.map { "\($0)" },
          ["", "tokens"] + tokens.map(NumberText.grouped),
        ]))
    return sections.joined(separator: "\n\n")
  }

  /// The rows that name the runs.
  static func head(_ runs: [RunSummary]) -> [[String]] {
    [
      ["", "run"] + runs.map(\.id), ["", "name"] + runs.map(\.name), ["", "state"] + runs.map(\.state.text),
    ]
  }

  static func text(_ settings: [Difference]) -> String {
    let rows = settings.map { ["", $0.name] + $0.values.map { $0 ?? "-" } }
    return rows.isEmpty ? "No setting differs." : "Settings that differ\n" + aligned(rows)
  }

  private static func aligned(_ rows: [[String]]) -> String { TextTable.aligned(rows) }

  static func cells(_ values: [Double?], _ differences: [Double?]) -> [String] {
    zip(values, differences).enumerated().map { index, pair in
      let text = RunReport.percent(pair.0)
      guard index > 0, let difference = pair.1 else { return text }
      let points = RunReport.percent(difference)
      return text + " (" + (points.hasPrefix("-") ? "" : "+") + points + ")"
    }
  }
}
