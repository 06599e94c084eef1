import Experiments
import Foundation
import Methods

/// The part of a report on the experiments of one benchmark.
struct ExperimentReport {
  let table: MethodTable
  /// What tells it from other results on the same benchmark; empty if there are none.
  let effort: String

  var html: String {
    let main = MethodTable(ordered(table.rows.filter(\.variant.isEmpty)).flatMap(\.results))
    let others = MethodTable(table.rows.filter { !$0.variant.isEmpty }.flatMap(\.results))
    var parts: [String] = []
    if !main.rows.isEmpty {
      parts += headline(main)
      parts.append(figure("table"))
      parts.append(HTML.table(main.accuracies))
      parts.append(
        "<p class=\"note\">\(HTML.text(main.basisSentence)) "
          + "Gap: gold minus chained. Forgotten: right after a task's training minus at the end. Against joint: paired "
          + "tests at 5 %. Tokens to 90 %: at the first validation at which every task had 90 % of its best; methods that "
          + "mix the tasks validate less often.</p>"
      )
      parts.append(HTML.table(main.costs))
      parts.append(HTML.table(main.times))
    }
    for experiment in Experiment.all where experiment.name != "table" {
      let drawn = figure(experiment.name)
      if drawn.isEmpty { continue }
      parts.append("<h3>\(HTML.text(experiment.question))</h3>" + drawn)
    }
    if !others.rows.isEmpty {
      parts.append("<h3>Variants</h3>")
      parts += headline(others)
      parts.append(HTML.table(others.accuracies))
    }
    let title = "Methods on \(table.benchmark)" + (effort.isEmpty ? "" : " (\(effort))")
    return HTML.section(title, parts.joined(separator: "\n"))
  }

  private func headline(_ table: MethodTable) -> [String] {
    table.headline.map { text in
      text.split(separator: "\n").map { "<p class=\"lead\">\(HTML.text(String($0)))</p>" }
    } ?? []
  }

  private func figure(_ experiment: String) -> String {
    ExperimentFigure.of(experiment, table)?.html ?? ""
  }

  private func ordered(_ rows: [MethodTable.Row]) -> [MethodTable.Row] {
    let names = Method.all.map(\.name)
    func place(_ row: MethodTable.Row) -> Int { names.firstIndex(of: row.method) ?? names.count }
    return rows.enumerated().sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }.map(
      \.element)
  }
}
