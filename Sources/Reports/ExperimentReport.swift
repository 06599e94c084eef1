import Experiments
import Foundation
import Methods

/// The part of a report on the experiments of one benchmark.
struct ExperimentReport {
  let table: MethodTable

  var html: String {
    let main = MethodTable(ordered(table.rows.filter(\.variant.isEmpty)).flatMap(\.results))
    let others = MethodTable(table.rows.filter { !$0.variant.isEmpty }.flatMap(\.results))
    var parts: [String] = []
    if !main.rows.isEmpty {
      if let headline = main.headline { parts.append("<p class=\"lead\">\(HTML.text(headline))</p>") }
      parts.append(bars("Episodes with every task right, chained", main))
      parts.append(HTML.table(main.accuracies))
      parts.append(
        "<p class=\"note\">Accuracies in %, gold / chained, ± standard deviation over seeds. Gap: gold minus chained. "
          + "Forgotten: right after a task's training minus at the end. Against joint: paired tests at 5 %.</p>"
      )
      parts.append(HTML.table(main.costs))
      parts.append(HTML.table(main.times))
    }
    parts.append(delta)
    parts.append(noise)
    if !others.rows.isEmpty {
      parts.append("<h3>Variants</h3>" + bars("Episodes with every task right, chained", others))
      parts.append(HTML.table(others.accuracies))
    }
    return HTML.section("Methods on \(table.benchmark)", parts.joined(separator: "\n"))
  }

  private func ordered(_ rows: [MethodTable.Row]) -> [MethodTable.Row] {
    let names = Method.all.map(\.name)
    func place(_ row: MethodTable.Row) -> Int { names.firstIndex(of: row.method) ?? names.count }
    return rows.enumerated().sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }.map(
      \.element)
  }

  private func bars(_ title: String, _ table: MethodTable) -> String {
    BarChart(
      title: title,
      bars: table.rows.compactMap { row in
        row.spread(\.allRightShare).map {
          BarChart.Bar(
            name: row.name, value: $0.mean, spread: $0.deviation,
            colour: row.method.hasPrefix("context") ? 2 : row.method == "joint" ? 1 : 0)
        }
      }
    ).svg
  }

  /// Accuracy of each task over the frozen ratio.
  private var delta: String {
    let rows = table.rows.compactMap { row -> (ratio: Double, row: MethodTable.Row)? in
      guard row.variant.isEmpty, let found = row.method.wholeMatch(of: /context-ancestors-d([0-9.]+)/),
        let ratio = Double(found.1)
      else { return nil }
      return (ratio, row)
    }.sorted { $0.ratio < $1.ratio }
    guard rows.count > 2 else { return "" }
    let series = table.tasks.enumerated().map { index, task in
      let spreads = rows.compactMap { _, row in row.spread { $0.share($0.tasks[index].chained) } }
      return LineChart.Series(
        name: task, points: zip(rows, spreads).map { ($0.ratio, $1.mean) }, spreads: spreads.map(\.deviation),
        colour: index)
    }
    return LineChart(
      title: "Chained accuracy over the frozen ratio δ (trained share 1 − δ, the other reading)", x: "δ",
      y: "right",
      series: series, range: 0...1, isShare: true
    ).svg
  }

  /// Accuracy of the last task over the share of wrong labels in the first one.
  private var noise: String {
    guard let first = table.tasks.first, let last = table.tasks.indices.last else { return "" }
    var methods: [String: [(share: Double, row: MethodTable.Row)]] = [:]
    for row in table.rows {
      if row.variant.isEmpty {
        methods[row.method, default: []].append((0, row))
      } else if let found = row.variant.wholeMatch(of: /(.*) ([0-9]+) % wrong/), found.1 == first,
        let percent = Double(found.2)
      {
        methods[row.method, default: []].append((percent / 100, row))
      }
    }
    let noisy = methods.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
    guard !noisy.isEmpty else { return "" }
    let series = noisy.enumerated().map { number, method in
      let rows = method.value.sorted { $0.share < $1.share }
      let spreads = rows.compactMap { _, row in row.spread { $0.share($0.tasks[last].chained) } }
      return LineChart.Series(
        name: method.key, points: zip(rows, spreads).map { (100 * $0.share, $1.mean) },
        spreads: spreads.map(\.deviation), colour: number)
    }
    return LineChart(
      title: "Chained accuracy of \(table.tasks[last]) over the share of wrong labels in \(first)",
      x: "wrong labels, %", y: "right", series: series, range: 0...1, isShare: true
    ).svg
  }
}
