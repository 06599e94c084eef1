import Experiments
import Foundation
import InputErrors

/// One HTML file on trainings and experiments, which opens without a network.
package struct Report {
  private let runs: [RunFacts]
  private let tables: [MethodTable]

  /// - Parameters:
  ///   - runs: run folders.
  ///   - results: results of experiments.
  /// - Throws: an error with the file and what is wrong with it; `Refusal` if there is nothing to report.
  package init(runs: [String], results: [CellResult]) throws {
    self.runs = try runs.map { try RunFacts($0) }
    let names = results.reduce(into: [String]()) { if !$0.contains($1.benchmark) { $0.append($1.benchmark) } }
    tables = names.sorted().map { name in MethodTable(results.filter { $0.benchmark == name }) }
    guard !runs.isEmpty || !tables.isEmpty else {
      throw Refusal(
        "report", "has neither a run nor a result of an experiment", "give run folders, or --experiments")
    }
  }

  /// The page.
  package var html: String {
    let title =
      runs.count == 1 && tables.isEmpty
      ? "\(runs[0].workflow.name): training report" : runs.isEmpty ? "Experiments" : "Training report"
    var body = ScaleFigure(tables: tables).html
    body += tables.map { ExperimentReport(table: $0).html }.joined(separator: "\n")
    for run in runs {
      if runs.count > 1 || !tables.isEmpty {
        body += "<h1>\(HTML.text(run.workflow.name + ": " + run.path))</h1>"
      }
      body += RunReport(facts: run).html
    }
    return ReportPage(title: title, body: body).html
  }
}
