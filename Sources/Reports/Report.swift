import Experiments
import Foundation
import InputErrors
import RunStore

/// One HTML file on trainings and experiments, which opens without a network.
package struct Report {
  /// A training to report on.
  package struct Training {
    /// The run folder.
    package var folder: String
    /// What a store says of it; `nil` if none knows it.
    package var state: RunState?

    package init(_ folder: String, state: RunState? = nil) { (self.folder, self.state) = (folder, state) }
  }

  /// Results of experiments to report on.
  package struct Results {
    /// The experiments' names, or the folder.
    package var name: String
    package var results: [CellResult]
    /// What a store says of the experiment; `nil` if none knows it.
    package var state: RunState?
    /// The measurements that it needs, and how many of them are there; `nil` if that is not known.
    package var progress: MeasurementProgress?

    package init(
      _ name: String, _ results: [CellResult], state: RunState? = nil, progress: MeasurementProgress? = nil
    ) {
      (self.name, self.results, self.state, self.progress) = (name, results, state, progress)
    }
  }

  private let runs: [RunFacts]
  private let experiments: [Results]

  /// - Throws: an error with the file and what is wrong with it; `Refusal` if there is nothing to report.
  package init(trainings: [Training] = [], experiments: [Results] = []) throws {
    runs = try trainings.map { try RunFacts($0.folder, state: $0.state) }
    self.experiments = experiments
    guard !runs.isEmpty || !experiments.isEmpty else {
      throw Refusal(
        "report", "has neither a run nor a result of an experiment", "give runs, or --experiments")
    }
  }

  /// The page.
  package var html: String {
    let title =
      runs.count == 1 && experiments.isEmpty
      ? "\(runs[0].workflow.name): training report" : runs.isEmpty ? "Experiments" : "Training report"
    var body = ""
    for experiment in experiments {
      if experiments.count > 1 { body += "<h1>\(HTML.text(experiment.name))</h1>" }
      body += ExperimentState(experiment).html
      let tables = Self.tables(experiment.results)
      let charts = ExperimentFigure.scale(tables.map(\.table)).map(\.figure.html)
      if !charts.isEmpty { body += HTML.section("More and more tasks", charts.joined(separator: "\n")) }
      body += tables.map { ExperimentReport(table: $0.table, effort: $0.effort).html }.joined(separator: "\n")
    }
    for run in runs {
      if runs.count > 1 || !experiments.isEmpty {
        body += "<h1>\(HTML.text(run.workflow.name + ": " + run.path))</h1>"
      }
      body += RunReport(facts: run).html
    }
    return ReportPage(title: title, body: body).html
  }

  /// A table for each benchmark and effort. A folder may have results of two workflows of one name, with different
  /// tasks, and of trainings of different lengths.
  private static func tables(_ results: [CellResult]) -> [(table: MethodTable, effort: String)] {
    struct Benchmark: Hashable {
      let name: String
      let tasks: [String]
    }
    let benchmarks = Dictionary(grouping: results) {
      Benchmark(name: $0.benchmark, tasks: $0.tasks.map(\.task))
    }
    let sorted = benchmarks.sorted {
      ($0.key.name, $0.key.tasks.joined()) < ($1.key.name, $1.key.tasks.joined())
    }
    let groups = sorted.flatMap { CellResult.comparable($0.value) }
    func effort(_ group: [CellResult]) -> String {
      "\(group.map(\.steps).max() ?? 0) steps, \(group.first?.episodes ?? 0) test episodes"
    }
    let names = Dictionary(grouping: groups) { $0.first?.benchmark ?? "" }
    var shown: [String: Int] = [:]
    return groups.map { group in
      let name = group.first?.benchmark ?? ""
      let others = names[name] ?? []
      guard others.count > 1 else { return (MethodTable(group), "") }
      let own = effort(group)
      // Of another model, other data or settings.
      guard others.count(where: { effort($0) == own }) > 1 else { return (MethodTable(group), own) }
      shown[name + "\n" + own, default: 0] += 1
      return (MethodTable(group), own + ", setting \(shown[name + "\n" + own] ?? 1)")
    }
  }
}
