import Experiments
import Foundation
import Methods

/// The figures that answer the questions of experiments.
package enum ExperimentFigure {
  /// The figure of an experiment on one benchmark; `nil` if the results are not enough for one.
  ///
  /// - Parameters:
  ///   - experiment: its name. `scale` has a figure of several benchmarks, ``scale(_:)``.
  ///   - table: all results on the benchmark; those of other experiments are left out, and those in other number formats
  ///     but for `bits`.
  package static func of(_ experiment: String, _ table: MethodTable) -> Figure? {
    if experiment == "bits" { return bits(table) }
    let table = table.inOnePlace
    return switch experiment {
    case "table": methods(table)
    case "delta": delta(table)
    case "noise": noise(table)
    case "order": order(table)
    case "adaptive": adaptive(table)
    case "rounds": rounds(table)
    default: nil
    }
  }

  private static func methods(_ table: MethodTable) -> Figure? {
    let names = Method.all.map(\.name)
    let rows = names.compactMap { name in table.rows.first { $0.variant.isEmpty && $0.method == name } }
    return bars("every task right, chained", table, rows.map { ($0.method, $0) })
  }

  /// Accuracy of each task over the frozen ratio.
  private static func delta(_ table: MethodTable) -> Figure? {
    let rows = fixedRatios(table)
    guard rows.count > 1 else { return nil }
    return lines(
      "chained accuracy over the frozen ratio δ (1 − δ is the trained share, the other reading)", table,
      x: "δ",
      table.tasks.indices.map { index in
        (table.tasks[index], rows.map { ($0.ratio, $0.row) }, { $0.share($0.tasks[index].chained) })
      })
  }

  /// ContextLoRA's rows by frozen ratio.
  private static func fixedRatios(_ table: MethodTable) -> [(ratio: Double, row: MethodTable.Row)] {
    table.rows.compactMap { row -> (ratio: Double, row: MethodTable.Row)? in
      guard row.variant.isEmpty, let found = row.method.wholeMatch(of: /context-ancestors-d([0-9.]+)/),
        let ratio = Double(found.1)
      else { return nil }
      return (ratio, row)
    }.sorted { $0.ratio < $1.ratio }
  }

  /// Accuracy of the last task over the share of wrong labels in one.
  private static func noise(_ table: MethodTable) -> Figure? {
    guard let last = table.tasks.indices.last else { return nil }
    var methods: [String: [(x: Double, row: MethodTable.Row)]] = [:]
    var noisy = ""
    for row in table.rows {
      if row.variant.isEmpty {
        methods[row.method, default: []].append((0, row))
      } else if let found = row.variant.wholeMatch(of: /(.*) ([0-9]+) % wrong/),
        let percent = Double(found.2),
        noisy.isEmpty || noisy == String(found.1)
      {
        noisy = String(found.1)
        methods[row.method, default: []].append((percent, row))
      }
    }
    return lines(
      "chained accuracy of \(table.tasks[last]) over the share of wrong labels in \(noisy)", table,
      x: "wrong labels, %",
      methods.filter { $0.value.count > 1 && !noisy.isEmpty }.sorted { $0.key < $1.key }.map { method, rows in
        (method, rows.sorted { $0.x < $1.x }, { $0.share($0.tasks[last].chained) })
      })
  }

  private static func order(_ table: MethodTable) -> Figure? {
    let rows = ["", "none", "reversed", "wrong"].flatMap { edges in
      fixedRatios(table).compactMap { ratio, own -> (String, MethodTable.Row)? in
        let variant = edges.isEmpty ? "" : "graph: \(edges)"
        return table.rows.first { $0.method == own.method && $0.variant == variant }.map {
          ("\(edges.isEmpty ? "true" : edges) graph, δ = \(SVG.number(ratio))", $0)
        }
      }
    }
    guard rows.contains(where: { !$0.1.variant.isEmpty }) else { return nil }
    // Without their variants, some ratios say nothing.
    let varied = Set(rows.filter { !$0.1.variant.isEmpty }.map(\.1.method))
    return bars("every task right, chained", table, rows.filter { varied.contains($0.1.method) })
  }

  private static func adaptive(_ table: MethodTable) -> Figure? {
    let own = table.rows.first { $0.variant.isEmpty && $0.method == "context-ancestors-adaptive" }
    let fixed = fixedRatios(table)
    guard let own, !fixed.isEmpty else { return nil }
    return bars(
      "every task right, chained", table,
      [("adaptive", own)] + fixed.map { ("δ = \(SVG.number($0.ratio))", $0.row) })
  }

  private static func rounds(_ table: MethodTable) -> Figure? {
    let rows = table.rows.compactMap { row -> (x: Double, row: MethodTable.Row)? in
      guard row.variant.isEmpty,
        let found = row.method.wholeMatch(of: /context-ancestors-d0\.5(?:-r([0-9]+))?/)
      else { return nil }
      return (found.1.flatMap { Double($0) } ?? 1, row)
    }.sorted { $0.x < $1.x }
    guard rows.count > 1 else { return nil }
    return lines(
      "chained accuracy over the rounds, δ = 0.5, with the same steps", table, x: "rounds",
      table.tasks.indices.map { index in
        (table.tasks[index], rows, { $0.share($0.tasks[index].chained) })
      })
  }

  private static func bits(_ table: MethodTable) -> Figure? {
    let plain = table.rows.filter { $0.variant.isEmpty && !$0.precision.isEmpty }
    let rows = plain.filter { row in
      plain.contains { $0.method == row.method && $0.precision != row.precision }
    }
    return bars("every task right, chained", table, rows.map { ("\($0.method), \($0.precision)", $0) })
  }

  /// Worlds of one shape, with as many steps for each task and as many test episodes.
  private struct Shape: Hashable, Comparable {
    let name: String
    let steps, episodes: Int

    static func < (first: Shape, second: Shape) -> Bool {
      (first.name, first.steps, first.episodes) < (second.name, second.steps, second.episodes)
    }
  }

  /// Accuracy over the number of tasks, a figure for each shape of worlds whose names end with it, and each length of
  /// training. Results with another rank, as of other experiments, are left out.
  package static func scale(_ tables: [MethodTable]) -> [(shape: String, figure: Figure)] {
    var shapes: [Shape: [(count: Int, rows: [MethodTable.Row])]] = [:]
    for table in tables {
      let rows = table.inOnePlace.rows.filter { $0.variant == Experiment.scaleVariant }
      guard let found = table.benchmark.wholeMatch(of: /(chain|tree|diamond)-([0-9]{1,4})/),
        let count = Int(found.2), count > 0, let result = rows.first?.results.first
      else { continue }
      let shape = Shape(name: String(found.1), steps: result.plannedSteps ?? 0, episodes: result.episodes)
      shapes[shape, default: []].append((count, rows))
    }
    let drawn = shapes.sorted { $0.key < $1.key }.filter { $0.value.count > 1 }
    return drawn.map { shape, worlds in
      let worlds = worlds.sorted { $0.count < $1.count }
      var methods: [String] = []
      for world in worlds {
        for row in world.rows where !methods.contains(row.method) { methods.append(row.method) }
      }
      let series = methods.enumerated().map { number, method in
        let points = worlds.compactMap { world -> (x: Double, spread: PairedStatistics.Spread)? in
          guard let row = world.rows.first(where: { $0.method == method }),
            let spread = row.spread({ result in
              Double(result.tasks.reduce(0) { $0 + $1.chained })
                / Double(result.episodes * max(result.tasks.count, 1))
            })
          else { return nil }
          return (Double(world.count), spread)
        }
        return LineChart.Series(
          name: method, points: points.map { ($0.x, $0.spread.mean) },
          spreads: points.map(\.spread.deviation), colour: number)
      }
      let isAlone = drawn.count { $0.key.name == shape.name } == 1
      let chart = LineChart(
        title: "\(shape.name): mean chained accuracy of all tasks over their number, with the same total rank"
          + (isAlone ? "" : ", \(shape.steps) steps a task, \(shape.episodes) test episodes"),
        x: "tasks", y: "right", series: series, range: 0...1, isShare: true)
      return (shape.name, chart.figure)
    }
  }

  // MARK: Parts

  /// With the number format where others were left out.
  private static func title(_ table: MethodTable, _ what: String) -> String {
    let places = Set(table.rows.map(\.precision))
    let place = places.count == 1 ? places.first ?? "" : ""
    return "\(table.benchmark): \(what)" + (place.isEmpty ? "" : " (\(place))")
  }

  private static func bars(
    _ what: String, _ table: MethodTable, _ rows: [(name: String, row: MethodTable.Row)]
  ) -> Figure? {
    let bars = rows.compactMap { name, row in
      row.spread(\.allRightShare).map {
        BarChart.Bar(
          name: name, value: $0.mean, spread: $0.deviation,
          colour: row.method.hasPrefix("context") ? 2 : row.method == "joint" ? 1 : 0)
      }
    }
    return bars.isEmpty ? nil : BarChart(title: title(table, what), bars: bars).figure
  }

  private static func lines(
    _ what: String, _ table: MethodTable, x: String,
    _ lines: [(name: String, rows: [(x: Double, row: MethodTable.Row)], figure: (CellResult) -> Double?)]
  ) -> Figure? {
    let series = lines.enumerated().map { number, line in
      let points = line.rows.compactMap { x, row in row.spread(line.figure).map { (x, $0) } }
      return LineChart.Series(
        name: line.name, points: points.map { ($0.0, $0.1.mean) }, spreads: points.map(\.1.deviation),
        colour: number)
    }
    guard series.contains(where: { !$0.points.isEmpty }) else { return nil }
    return LineChart(
      title: title(table, what), x: x, y: "right", series: series, range: 0...1, isShare: true
    ).figure
  }
}
