import Experiments
import Foundation

/// Accuracy over the number of tasks, for worlds whose names end with it.
struct ScaleFigure {
  let tables: [MethodTable]

  var html: String {
    var shapes: [String: [(count: Int, table: MethodTable)]] = [:]
    for table in tables {
      guard let found = table.benchmark.wholeMatch(of: /(chain|tree|diamond)-([0-9]{1,4})/),
        let count = Int(found.2)
      else { continue }
      shapes[String(found.1), default: []].append((count, table))
    }
    let charts = shapes.sorted { $0.key < $1.key }.filter { $0.value.count > 1 }.map { shape, worlds in
      let worlds = worlds.sorted { $0.count < $1.count }
      var methods: [String] = []
      for world in worlds {
        for row in world.table.rows where !methods.contains(row.method) { methods.append(row.method) }
      }
      let series = methods.enumerated().map { number, method in
        let points = worlds.compactMap { world -> (x: Double, spread: PairedStatistics.Spread)? in
          guard let row = world.table.rows.first(where: { $0.method == method }),
            let spread = row.spread({ result in
              Double(result.tasks.reduce(0) { $0 + $1.chained })
                / Double(result.episodes * max(result.tasks.count, 1))
            })
          else { return nil }
          return (Double(world.count), spread)
        }
        return LineChart.Series(
          name: method, points: points.map { ($0.x, $0.spread.mean) },
          spreads: points.map(\.spread.deviation),
          colour: number)
      }
      return LineChart(
        title: "\(shape): mean chained accuracy of all tasks over their number, with the same total rank",
        x: "tasks", y: "right", series: series, range: 0...1, isShare: true
      ).svg
    }
    return charts.isEmpty ? "" : HTML.section("More and more tasks", charts.joined(separator: "\n"))
  }
}
