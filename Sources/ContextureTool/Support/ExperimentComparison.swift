import InputErrors
import RunStore
import TextTables

/// Experiments side by side: the measurements of a method on a benchmark with a seed that all of them have. In every
/// list, the values are in the order of the runs; differences are against the first run.
struct ExperimentComparison: Encodable {
  struct Row: Encodable {
    let benchmark, method: String
    let seed: Int
    /// Whether it is the very same measurement, with all settings and data.
    let isSame: Bool
    /// Shares of episodes with every task right.
    let allRight: RunComparison.Accuracies
    /// Means of the tasks.
    let means: RunComparison.Accuracies
  }

  let runs: [RunSummary]
  let settings: [RunComparison.Difference]
  let measurements: [Row]
  /// How many finished measurements of each run are not in all others.
  let others: [Int]
  /// Whether all were made on the same number of episodes.
  let sameEpisodes: Bool

  /// - Throws: `Refusal` if one of the runs is not an experiment.
  init(_ all: [RunDetails]) throws(Refusal) {
    if let other = all.first(where: { $0.summary.kind != RunKind.experiment.rawValue }) {
      let experiment = all.first { $0.summary.kind == RunKind.experiment.rawValue }
      throw Refusal(
        "runs compare",
        "\(experiment?.summary.id ?? "one run") is an experiment, and \(other.summary.id) is not",
        "compare experiments with experiments, and trainings and evaluations with each other")
    }
    struct Name: Hashable {
      let benchmark, method: String
      let seed: Int
    }
    runs = all.map(\.summary)
    settings = RunComparison.differences(all)
    let found = all.map { run in
      Dictionary(
        run.measurements.filter { $0.state != .missing }.map {
          (Name(benchmark: $0.benchmark, method: $0.method, seed: $0.seed), $0)
        }, uniquingKeysWith: { first, _ in first })
    }
    var rows: [Row] = []
    var episodes = true
    for one in MeasurementOrder.sorted(all.first?.measurements ?? []) {
      let name = Name(benchmark: one.benchmark, method: one.method, seed: one.seed)
      let shared = found.compactMap { $0[name] }
      guard shared.count == all.count else { continue }
      episodes = episodes && Set(shared.map { $0.value("episodes") }).count == 1
      rows.append(
        Row(
          benchmark: one.benchmark, method: one.method, seed: one.seed,
          isSame: Set(shared.map(\.checksum)).count == 1,
          allRight: .init(
            "every task right", gold: shared.map { _ in nil }, chained: shared.map { $0.value("allRight") }),
          means: .init(
            "mean", gold: shared.map { $0.mean("gold") }, chained: shared.map { $0.mean("chained") })))
    }
    (measurements, sameEpisodes) = (rows, episodes)
    others = found.map { $0.count - rows.count }
  }

  var text: String {
    var head = RunComparison.head(runs)
    head.append(["", "progress"] + runs.map { $0.measurements?.text ?? "" })
    var sections = [TextTable.aligned(head), RunComparison.text(settings)]
    if measurements.isEmpty {
      sections.append("They have no finished measurement in common.")
    } else {
      let rows = measurements.map { row in
        [
          "  " + row.benchmark, row.method, "\(row.seed)",
        ] + RunComparison.cells(row.allRight.chained, row.allRight.chainedDifferences)
          + RunComparison.cells(row.means.chained, row.means.chainedDifferences)
          + [row.isSame ? "same" : ""]
      }
      let columns = ["every task", "chained"].flatMap { name in
        runs.indices.map { "\(name), run \($0 + 1)" }
      }
      sections.append(
        "Measurements that all have, in %, and differences in points; chained: mean of the tasks\n"
          + TextTable.aligned([["  benchmark", "method", "seed"] + columns + [""]] + rows, right: [2]))
      if measurements.contains(where: \.isSame) {
        sections.append("same: made with the same settings, data and model, so it is one measurement.")
      }
    }
    if others.contains(where: { $0 > 0 }) {
      sections.append(
        "Measurements that not all have: " + others.map { "\($0)" }.joined(separator: ", ") + ".")
    }
    if !sameEpisodes { sections.append("Some were made on different numbers of test episodes.") }
    return sections.joined(separator: "\n\n")
  }
}
