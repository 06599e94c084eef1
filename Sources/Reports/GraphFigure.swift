import TaskGraph

/// A workflow's graph, level by level from left to right, with each task's columns and accuracy.
struct GraphFigure {
  let graph: TaskDependencyGraph
  let blocks: RankBlocks
  /// A line under the name of a task.
  var notes: [String: String] = [:]

  private static let (boxWidth, boxHeight, gapX, gapY) = (150.0, 60.0, 60.0, 22.0)

  var svg: String {
    let levels = graph.levels
    let rows = Double(levels.map(\.count).max() ?? 1)
    let width = Double(levels.count) * (Self.boxWidth + Self.gapX) - Self.gapX + 16
    let height = rows * (Self.boxHeight + Self.gapY) - Self.gapY + 16
    var places: [String: (x: Double, y: Double)] = [:]
    for (column, level) in levels.enumerated() {
      let used = Double(level.count) * (Self.boxHeight + Self.gapY) - Self.gapY
      for (row, task) in level.enumerated() {
        places[task] = (
          8 + Double(column) * (Self.boxWidth + Self.gapX),
          (height - used) / 2 + Double(row) * (Self.boxHeight + Self.gapY)
        )
      }
    }
    var body: [String] = []
    for task in graph.topologicalOrder {
      for parent in graph.parents(of: task) {
        guard let from = places[parent], let to = places[task] else { continue }
        let (x1, y1) = (from.x + Self.boxWidth, from.y + Self.boxHeight / 2)
        let (x2, y2) = (to.x, to.y + Self.boxHeight / 2)
        let middle = (x1 + x2) / 2
        body.append(
          "<path d=\"M\(SVG.at(x1)) \(SVG.at(y1)) C\(SVG.at(middle)) \(SVG.at(y1)) \(SVG.at(middle)) \(SVG.at(y2)) "
            + "\(SVG.at(x2)) \(SVG.at(y2))\" class=\"edge\"/>")
      }
    }
    for (index, task) in graph.tasks.enumerated() {
      guard let place = places[task] else { continue }
      let block = blocks[task]
      body.append(
        "<rect x=\"\(SVG.at(place.x))\" y=\"\(SVG.at(place.y))\" width=\"\(SVG.at(Self.boxWidth))\" "
          + "height=\"\(SVG.at(Self.boxHeight))\" rx=\"8\" class=\"task\"/>")
      body.append(
        "<rect x=\"\(SVG.at(place.x))\" y=\"\(SVG.at(place.y))\" width=\"6\" height=\"\(SVG.at(Self.boxHeight))\" "
          + "rx=\"3\" class=\"bar c\(index % SVG.colours)\"/>")
      let name = task.count > 18 ? String(task.prefix(17)) + "…" : task
      body.append(SVG.label(place.x + 16, place.y + 22, name, css: "name"))
      body.append(
        SVG.label(place.x + 16, place.y + 38, "columns \(block.lowerBound)–\(block.upperBound - 1)"))
      if let note = notes[task] { body.append(SVG.label(place.x + 16, place.y + 53, note)) }
    }
    return "<figure class=\"graph\">" + SVG.picture(width, height, title: "The task graph", body)
      + "</figure>"
  }
}

/// Which columns each phase trains, freezes and masks.
struct PhaseFigure {
  let schedule: PhaseSchedule
  /// The phases shown.
  private static let maximumPhases = 48

  var svg: String {
    let phases = schedule.prefix(Self.maximumPhases)
    let (width, left, row) = (720.0, 150.0, 20.0)
    let rank = Double(max(schedule.blocks.rank, 1))
    let height = row * Double(phases.count) + 26
    var body: [String] = []
    for (index, phase) in phases.enumerated() {
      let y = 4 + row * Double(index)
      let name = (schedule.rounds > 1 ? "\(phase.round): " : "") + phase.task
      body.append(
        SVG.label(
          left - 8, y + 12, name.count > 20 ? String(name.prefix(19)) + "…" : name, anchor: "end", css: "name"
        ))
      for (kind, columns) in [
        ("masked", phase.masked), ("frozen", phase.frozen), ("trained", phase.trainable),
      ] {
        for run in Self.runs(columns) {
          let start = left + Double(run.lowerBound) / rank * (width - left - 8)
          let end = left + Double(run.upperBound) / rank * (width - left - 8)
          body.append(
            "<rect x=\"\(SVG.at(start))\" y=\"\(SVG.at(y))\" width=\"\(SVG.at(max(end - start - 1, 0.5)))\" "
              + "height=\"\(SVG.at(row - 5))\" class=\"\(kind)\"/>")
        }
      }
    }
    body.append(SVG.label(left, height - 6, "column 0"))
    body.append(SVG.label(width - 8, height - 6, "\(schedule.blocks.rank - 1)", anchor: "end"))
    let more = schedule.count > phases.count ? " The first \(phases.count) of \(schedule.count) phases." : ""
    let legend = ["trained", "frozen", "masked"].map {
      "<span class=\"key\"><i class=\"swatch \($0)\"></i>\($0)</span>"
    }.joined()
    return "<figure>" + SVG.picture(width, height, title: "Columns of each phase", body)
      + "<figcaption>\(legend) Each row is a phase, from the top.\(more)</figcaption></figure>"
  }

  /// Consecutive numbers as ranges.
  private static func runs(_ columns: [Int]) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for column in columns {
      if let last = runs.last, last.upperBound == column {
        runs[runs.count - 1] = last.lowerBound..<column + 1
      } else {
        runs.append(column..<column + 1)
      }
    }
    return runs
  }
}
