import Foundation

/// A chart of when each stage works.
package struct Gantt: Sendable {
  /// The kind of work that a bar shows.
  enum Colour: String {
    case forwardOnly = "#7fb2e5"
    case forward = "#4a9c5d"
    case backward = "#e08b3e"
    case update = "#555555"
  }

  private struct Bar {
    let row: Int
    let start, end: Double
    let colour: Colour
    let letter: Character
    let label: String
  }

  /// A label for each stage: its device's name, its group and its layers.
  private let rows: [String]
  private let bars: [Bar]
  private let end: Double

  /// Simulates the first steps of a plan.
  ///
  /// - Parameter rows: the maximum number of stages shown.
  package init(_ phase: PlannedPhase, _ planner: Planner, steps: Int = 3, rows limit: Int = 64) {
    let schedule = planner.schedule(phase.plan, phase.workload, steps: steps)
    let simulation = planner.simulator.run(
      schedule, shape: planner.shape, workload: phase.workload, detailed: true)
    let passes = phase.workload.forwardOnly.count
    rows = schedule.stages.prefix(limit).map {
      "\(planner.cluster.devices[$0.device].name) \($0.trains ? "D_t" : "D_f") \($0.first)..<\($0.end)"
    }
    end = max(simulation.makespan, .leastNormalMagnitude)
    bars = simulation.spans.compactMap { span in
      let operation = schedule.operations[span.operation]
      guard span.stage < limit else { return nil }
      let colour: Colour
      switch operation {
      case .forward(let unit): colour = unit.pass < passes ? .forwardOnly : .forward
      case .backward: colour = .backward
      case .update: colour = .update
      case .send, .receive: return nil
      }
      let letter: Character =
        switch colour {
        case .forwardOnly: "f"
        case .forward: "F"
        case .backward: "B"
        case .update: "U"
        }
      return Bar(
        row: span.stage, start: span.start, end: span.end, colour: colour, letter: letter,
        label: "\(operation)")
    }
  }

  /// One line per stage, one letter per time slot for the work that takes most of it: `f` forward only, `F`
  /// forward, `B` backward, `U` update, `.` waiting.
  package func text(width: Int = 96) -> String {
    var cover = [[Character: Double]](repeating: [:], count: rows.count * width)
    let column = end / Double(width)
    for bar in bars {
      let (first, last) = (Int(bar.start / column), min(Int(bar.end / column), width - 1))
      for index in first...max(first, last) where index < width {
        let share = min(bar.end, Double(index + 1) * column) - max(bar.start, Double(index) * column)
        if share > 0 { cover[bar.row * width + index][bar.letter, default: 0] += share }
      }
    }
    let names = rows.map(\.count).max() ?? 0
    let lines = rows.indices.map { row in
      let letters = (0..<width).map { index -> Character in
        let cell = cover[row * width + index]
        let idle = column - cell.values.reduce(0, +)
        guard let most = cell.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), most.value >= idle else {
          return "."
        }
        return most.key
      }
      return rows[row].padding(toLength: names + 1, withPad: " ", startingAt: 0) + String(letters)
    }
    return lines.joined(separator: "\n")
      + "\n\(Figures.seconds(end)); f forward only, F forward, B backward, U update, . waits\n"
  }

  /// The chart as SVG; pointing at a bar shows its operation.
  package func svg(width: Int = 1200) -> String {
    let (left, height) = (220, 24)
    let scale = Double(width - left) / end
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\((rows.count + 2) * height)\" "
        + "font-family=\"sans-serif\" font-size=\"12\">"
    ]
    for (row, name) in rows.enumerated() {
      lines.append("<text x=\"4\" y=\"\(row * height + 16)\">\(Self.escaped(name))</text>")
    }
    for bar in bars {
      lines.append(
        String(
          format: "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%@\">",
          Double(left) + bar.start * scale, bar.row * height + 2, max((bar.end - bar.start) * scale, 0.2),
          height - 4, bar.colour.rawValue) + "<title>\(Self.escaped(bar.label))</title></rect>")
    }
    let legend: [(Colour, String)] = [
      (.forwardOnly, "forward only"), (.forward, "forward"), (.backward, "backward"), (.update, "update"),
    ]
    for (index, entry) in legend.enumerated() {
      let (x, y) = (left + index * 120, rows.count * height + 12)
      lines.append("<rect x=\"\(x)\" y=\"\(y)\" width=\"14\" height=\"14\" fill=\"\(entry.0.rawValue)\"/>")
      lines.append("<text x=\"\(x + 20)\" y=\"\(y + 12)\">\(entry.1)</text>")
    }
    lines.append("<text x=\"4\" y=\"\(rows.count * height + 24)\">\(Figures.seconds(end))</text>")
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
  }
}
