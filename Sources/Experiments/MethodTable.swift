import Foundation
import Methods
import TextTables

/// The results of several methods on one benchmark, with the same seeds.
package struct MethodTable: Sendable {
  /// A method, or a variant of it.
  package struct Row: Sendable {
    package var method: String
    /// What differs from the main table; empty if nothing does.
    package var variant: String
    /// The number format, and the processor's instructions, if methods were measured with several; else empty.
    package var precision = ""
    /// One for each seed, in their order.
    package var results: [CellResult]

    /// The spread of a figure over the seeds; `nil` if no result has it.
    package func spread(_ figure: (CellResult) -> Double?) -> PairedStatistics.Spread? {
      let values = results.compactMap(figure)
      return values.isEmpty ? nil : PairedStatistics.Spread(values)
    }

    /// The name with the variant and the number format.
    package var name: String {
      let details = [variant, precision].filter { !$0.isEmpty }.joined(separator: ", ")
      return details.isEmpty ? method : "\(method) (\(details))"
    }
  }

  package let benchmark: String
  /// The tasks, in the order of the workflow.
  package let tasks: [String]
  package let rows: [Row]

  /// - Parameter results: of one benchmark; rows are in the order of their first results.
  package init(_ results: [CellResult]) {
    let results = Self.latest(results)
    benchmark = results.first?.benchmark ?? ""
    tasks = results.first?.tasks.map(\.task) ?? []
    let place = Self.place(results)
    var rows: [Row] = []
    for result in results {
      let precision = place(result)
      let found = rows.firstIndex {
        $0.method == result.method && $0.variant == result.variant && $0.precision == precision
      }
      if let found {
        rows[found].results.append(result)
      } else {
        rows.append(
          Row(method: result.method, variant: result.variant, precision: precision, results: [result]))
      }
    }
    for index in rows.indices { rows[index].results.sort { $0.seed < $1.seed } }
    self.rows = rows
  }

  private init(_ benchmark: String, _ tasks: [String], _ rows: [Row]) {
    (self.benchmark, self.tasks, self.rows) = (benchmark, tasks, rows)
  }

  /// A result as often as it was measured, by what a row and a seed say of it.
  private struct Measurement: Hashable {
    let method, variant, place: String
    let seed: Int

    init(_ result: CellResult, _ place: String) {
      (method, variant, seed, self.place) = (result.method, result.variant, result.seed, place)
    }
  }

  /// Without results of earlier versions of a method that has changed.
  private static func latest(_ results: [CellResult]) -> [CellResult] {
    func version(_ result: CellResult) -> Substring {
      result.key.split(separator: "\n").first { $0.hasPrefix("method ") } ?? ""
    }
    var places: [Measurement: Int] = [:]
    return results.reduce(into: [CellResult]()) { kept, result in
      let measurement = Measurement(result, "\(result.precision) \(result.machine)")
      guard let place = places[measurement] else {
        places[measurement] = kept.count
        return kept.append(result)
      }
      if version(kept[place]).compare(version(result), options: .numeric) == .orderedAscending {
        kept[place] = result
      }
    }
  }

  /// What tells results apart that differ in nothing else: nothing, the number format, or also the instructions. It is
  /// the same for all, so that rows remain comparable.
  private static func place(_ results: [CellResult]) -> (CellResult) -> String {
    let places: [(CellResult) -> String] = [
      { _ in "" }, { $0.precision }, { "\($0.precision) on \($0.machine)" },
    ]
    return places.first {
      Set(results.map { [place = $0] in Measurement($0, place($0)) }).count == results.count
    }
      ?? places[2]
  }

  /// The rows of the number format and instructions with the most results.
  package var inOnePlace: MethodTable {
    let places = rows.map(\.precision).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    func count(_ place: String) -> Int {
      rows.reduce(0) { $0 + ($1.precision == place ? $1.results.count : 0) }
    }
    // The first of several with as many.
    guard let most = places.map(count).max(), let place = places.first(where: { count($0) == most }) else {
      return self
    }
    return MethodTable(benchmark, tasks, rows.filter { $0.precision == place })
  }

  /// The seeds of all rows, in their order.
  private var seeds: [Int] { Set(rows.flatMap { $0.results.map(\.seed) }).sorted() }

  /// Whether some row lacks a seed that another one has.
  private var lacksSeeds: Bool { rows.contains { $0.results.map(\.seed) != seeds } }

  private static func list(_ numbers: some Sequence<Int>) -> String {
    numbers.map(String.init).joined(separator: ", ")
  }

  /// The seeds, the number of test episodes, and how to read the accuracies.
  package var basis: String {
    "seeds \(Self.list(seeds)); "
      + "\(Self.list(Set(rows.flatMap { $0.results.map(\.episodes) }).sorted())) test episodes; accuracies in %, gold / "
      + "chained, ± standard deviation over seeds"
  }

  /// The same as a sentence.
  package var basisSentence: String { basis.prefix(1).uppercased() + basis.dropFirst() + "." }

  /// The row of a method like another row in everything else.
  private func counterpart(_ method: Method, of other: Row) -> Row? {
    rows.first {
      $0.method == method.name && $0.variant == other.variant && $0.precision == other.precision
    }
  }

  /// The results of two rows on the same seeds and as many episodes.
  private func pairs(_ row: Row, _ other: Row) -> [(own: CellResult, other: CellResult)] {
    row.results.compactMap { result in
      other.results.first { $0.seed == result.seed && $0.episodes == result.episodes }.map { (result, $0) }
    }
  }

  /// How a row compares with another one on the episodes with every task right, over the seeds that both have; `nil` if
  /// they have none in common.
  package func verdict(_ row: Row, against other: Row) -> PairedStatistics.Verdict? {
    let pairs = pairs(row, other)
    return pairs.isEmpty
      ? nil : PairedStatistics.compare(pairs.map { (first: $0.other.allRight, second: $0.own.allRight) })
  }

  /// A sentence on the method of this project against joint training, which is hard to beat, for each variant that has
  /// both; `nil` if none has.
  package var headline: String? {
    let sentences = rows.filter { $0.method == Method.contextLoRA(Method.Partition()).name }.compactMap {
      own in
      counterpart(.joint, of: own).flatMap { sentence(own, against: $0) }
    }
    return sentences.isEmpty ? nil : sentences.joined(separator: "\n")
  }

  private func sentence(_ own: Row, against joint: Row) -> String? {
    guard let verdict = verdict(own, against: joint) else { return nil }
    let pairs = pairs(own, joint)
    func share(_ results: [CellResult]) -> String {
      Self.percent(PairedStatistics.Spread(results.map(\.allRightShare))) + " %"
    }
    // Only what both have is compared.
    let isPart = pairs.count < max(own.results.count, joint.results.count)
    let details = [
      own.variant, own.precision, isPart ? "seeds \(Self.list(pairs.map(\.own.seed)))" : "",
    ].filter { !$0.isEmpty }.joined(separator: ", ")
    let figures =
      "every task right in \(share(pairs.map(\.own))) of episodes, \(share(pairs.map(\.other))) with joint LoRA"
      + (details.isEmpty ? "" : " (\(TerminalText.line(details)))")
    return switch verdict {
    case .tie: "Joint LoRA and ContextLoRA tie: \(figures)."
    case .better: "ContextLoRA is better than joint LoRA: \(figures)."
    case .worse: "Joint LoRA is better than ContextLoRA: \(figures)."
    }
  }

  /// The columns of accuracies, as header and cells.
  package var accuracies: [[String]] {
    let lacksSeeds = lacksSeeds
    let header =
      ["method"] + tasks + ["every task", "gap", "forgotten", "against joint"] + (lacksSeeds ? ["seeds"] : [])
    let hasJoint = rows.contains { $0.method == Method.joint.name }
    return [header]
      + rows.map { row in
        let cells = tasks.indices.map { index -> String in
          let gold = row.spread { $0.share($0.tasks[index].gold) }
          let chained = row.spread { $0.share($0.tasks[index].chained) }
          let isRoot = row.results.allSatisfy { $0.tasks[index].gold == $0.tasks[index].chained }
          let right = Self.percent(chained, spread: index == tasks.count - 1)
          return isRoot ? right : Self.percent(gold, spread: false) + " / " + right
        }
        let compared = counterpart(.joint, of: row).map { joint -> String in
          if joint.name == row.name { return "" }
          return switch verdict(row, against: joint) {
          case .tie: "="
          case .better: "better"
          case .worse: "worse"
          case nil: "-"
          }
        }
        return [row.name] + cells + [
          Self.percent(row.spread(\.allRightShare)),
          Self.percent(row.spread(\.compositionGap), spread: false),
          Self.percent(row.spread(\.forgetting), spread: false), compared ?? (hasJoint ? "-" : ""),
        ] + (lacksSeeds ? [Self.list(row.results.map(\.seed))] : [])
      }
  }

  /// The columns of costs, as header and cells, without times: the same seeds give the same bytes.
  package var costs: [[String]] {
    [["method", "trained values", "steps", "tokens", "tokens to 90 %"]]
      + rows.map { row in
        func mean(_ figure: (CellResult) -> Int?) -> String {
          let known = row.results.compactMap(figure)
          guard known.count == row.results.count, !known.isEmpty else { return "-" }
          return NumberText.grouped(known.reduce(0, +) / known.count)
        }
        return [
          row.name, mean(\.parameters), mean(\.steps), mean(\.tokens),
          row.results.allSatisfy { $0.course.isEmpty } ? "" : mean(\.tokensToNinety),
        ]
      }
  }

  /// The columns of times, which differ from run to run.
  package var times: [[String]] {
    [["method", "training, s", "evaluation, s", "precision"]]
      + rows.map { row in
        func seconds(_ figure: (CellResult) -> Double) -> String {
          row.spread(figure).map { String(format: "%.0f", $0.mean) } ?? ""
        }
        return [
          row.name, seconds(\.seconds), seconds(\.evaluationSeconds),
          Set(row.results.map { "\($0.precision), \($0.machine)" }).sorted().joined(separator: "; "),
        ]
      }
  }

  /// A sentence on number formats and instructions, if there were several; `nil` if not.
  package var machines: String? {
    let kinds = Set(rows.flatMap { $0.results.map { "\($0.precision) on \($0.machine)" } })
    return kinds.count < 2
      ? nil
      : "Measured in several ways: \(TerminalText.line(kinds.sorted().joined(separator: ", "))); pairs share the seed"
  }

  /// The table for a terminal, without times.
  package var text: String {
    let head = "\(TerminalText.line(benchmark)): \(basis)"
    let legend =
      "every task: episodes with every task right, chained. gap: gold minus chained, mean of tasks. forgotten: right after "
      + "a task's training minus at the end, gold, mean of tasks. against joint: on episodes with every task right, by "
      + "paired tests at 5 % over seeds and episodes, each row on its own. tokens to 90 %: at the first validation at which "
      + "every task had 90 % of its best; methods that mix the tasks validate less often"
    return [
      headline, head, machines, TextTable.aligned(accuracies, right: Set(1..<accuracies[0].count)), legend,
      TextTable.aligned(costs, right: Set(1...4)),
    ].compactMap(\.self).joined(separator: "\n\n")
  }

  /// The same as Markdown.
  ///
  /// - Parameter hasTimes: whether the times are in it, which differ from run to run.
  package func markdown(hasTimes: Bool) -> String {
    func table(_ rows: [[String]]) -> String {
      let escaped = rows.map {
        "| " + $0.map { TerminalText.line($0).replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
      }
      let rule = "|" + rows[0].indices.map { $0 == 0 ? "---|" : "--:|" }.joined()
      return ([escaped[0], rule] + escaped.dropFirst()).joined(separator: "\n")
    }
    return
      ([headline, basisSentence, machines, table(accuracies), table(costs)]
      + (hasTimes ? [table(times)] : []))
      .compactMap(\.self).joined(separator: "\n\n")
  }

  /// A share in percent.
  static func percent(_ spread: PairedStatistics.Spread?, spread shows: Bool = true) -> String {
    guard let spread else { return "" }
    let mean = String(format: "%.1f", 100 * spread.mean)
    let text = mean == "-0.0" ? "0.0" : mean
    guard shows, spread.count > 1 else { return text }
    return text + String(format: " ± %.1f", 100 * spread.deviation)
  }
}
