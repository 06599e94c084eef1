import ContextGear
import Foundation
import Runs
import TextTables

/// The figures of each rank of a job, compared with the plan.
struct ClusterFigures {
  /// One rank in one phase.
  struct Row: Codable {
    var task, device, layers: String
    var trains: Bool
    /// Seconds per optimiser step: predicted, and measured as the mean over all windows.
    var plannedStep, measuredStep: Double
    /// The share of a step in which the device does not compute.
    var plannedIdle, measuredIdle: Double
    /// Bytes that the rank sends per step.
    var plannedBytes, measuredBytes: Int
  }

  let rows: [Row]

  init(_ figures: [RankFigures], plan: WorkflowPlan) {
    rows = plan.phases.flatMap { phase -> [Row] in
      let task = phase.workload.trained.task
      return phase.devices.compactMap { use -> Row? in
        let windows = figures.first { $0.rank == use.device }?.windows.filter { $0.task == task } ?? []
        let steps = windows.reduce(0) { $0 + $1.steps }
        guard steps > 0 else { return nil }
        let seconds = windows.reduce(0) { $0 + $1.seconds }
        let bytes = windows.reduce(0) { $0 + $1.bytes.values.reduce(0, +) }
        return Row(
          task: task, device: use.name, layers: "\(use.first)..<\(use.end)", trains: use.trains,
          plannedStep: phase.stepTime, measuredStep: seconds / Double(steps), plannedIdle: use.idle,
          measuredIdle: max(0, 1 - windows.reduce(0) { $0 + $1.computing } / max(seconds, 1e-9)),
          plannedBytes: phase.traffic.filter { $0.from == use.device }.reduce(0) { $0 + $1.bytes },
          measuredBytes: bytes / steps)
      }
    }
  }

  /// Adds the rows to a file of JSON lines.
  func append(to url: URL) throws {
    let file = JSONLines(url)
    try file.keep()
    try file.append(rows)
  }

  /// A table for people.
  var text: String {
    var table = [
      [
        "task", "device", "group", "layers", "step: plan", "measured", "idle %: plan", "measured",
        "sent kB: plan", "measured",
      ]
    ]
    for row in rows {
      func kilobytes(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / 1000) }
      func seconds(_ value: Double) -> String { String(format: "%.1f ms", value * 1000) }
      func percent(_ value: Double) -> String { String(format: "%.1f", value * 100) }
      table.append([
        row.task, row.device, row.trains ? "D_t" : "D_f", row.layers, seconds(row.plannedStep),
        seconds(row.measuredStep), percent(row.plannedIdle), percent(row.measuredIdle),
        kilobytes(row.plannedBytes), kilobytes(row.measuredBytes),
      ])
    }
    return "\nA step as planned and as measured\n\n" + TextTable.aligned(table, right: Set(4...9))
  }
}
