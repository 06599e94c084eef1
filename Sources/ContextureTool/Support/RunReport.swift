import Foundation
import RunStore
import TextTables

/// Runs of a store as tables.
enum RunReport {
  /// One line for each run.
  static func list(_ runs: [RunSummary]) -> String {
    guard !runs.isEmpty else { return "No runs." }
    let rows = runs.map { run in
      [
        run.id, run.name, run.kind, run.state.text, progress(run),
        number(run.lastLoss, 3), percent(run.accuracy), time(run.started),
      ]
    }
    return TextTable.aligned(
      [["id", "name", "kind", "state", "progress", "loss", "accuracy, %", "started, UTC"]] + rows,
      right: [4, 5, 6])
  }

  /// How far a run is.
  private static func progress(_ run: RunSummary) -> String {
    if let measurements = run.measurements { return measurements.text }
    return run.kind == "train" ? "\(run.steps) step\(run.steps == 1 ? "" : "s")" : ""
  }

  /// Everything but the workflow's text.
  static func details(_ run: RunDetails) -> String {
    let sections: [String?] = [
      overview(run), table("Settings", run.settings.map { ["  " + $0.name, $0.value] }), environment(run),
      phases(run), measurements(run),
      run.evaluations.isEmpty ? nil : run.evaluations.map(evaluation).joined(separator: "\n\n"),
      run.warnings.isEmpty ? nil : "Warnings\n" + run.warnings.map(warning).joined(separator: "\n"),
      table("Checksums, SHA-256", run.checksums.map { ["  " + $0.file, $0.sha256] }),
    ]
    return sections.compactMap(\.self).joined(separator: "\n\n")
  }

  private static func overview(_ run: RunDetails) -> String {
    let summary = run.summary
    var rows = [
      ["run", summary.id], ["name", summary.name], ["kind", summary.kind], ["state", summary.state.text],
    ]
    func add(_ name: String, _ value: String?) { if let value { rows.append([name, value]) } }
    add("message", summary.message)
    add("folder", summary.folder)
    add("evaluates", summary.subject)
    add("workflow", run.workflow)
    add("model", run.model)
    add("data", run.data)
    add("precision", run.precision)
    add("started", time(summary.started) + " UTC")
    add("ended", summary.ended.map { time($0) + " UTC" })
    add("time", duration(summary.seconds) + (run.sessions.count > 1 ? " in \(run.sessions.count) parts" : ""))
    add("progress", summary.measurements?.text)
    return TextTable.aligned(rows)
  }

  /// The machines that worked on the run; the same one is named once.
  private static func environment(_ run: RunDetails) -> String? {
    var seen: [RunEnvironment] = []
    for session in run.sessions where !seen.contains(session.environment) { seen.append(session.environment) }
    let parts = seen.map { environment in
      TextTable.aligned([
        ["  program", "contexture " + environment.program],
        ["  processor", "\(environment.cpu), kernels for \(environment.instructionSet)"],
        ["  cores", "\(environment.cores)" + (environment.workers.map { ", \($0) threads" } ?? "")],
        ["  memory", String(format: "%.1f GB", Double(environment.memory) / 1e9)],
        ["  system", environment.system], ["  ranks", "\(environment.ranks)"],
      ])
    }
    return parts.isEmpty ? nil : "Environment\n" + parts.joined(separator: "\n\n")
  }

  private static func phases(_ run: RunDetails) -> String? {
    guard !run.phases.isEmpty else { return nil }
    let rows = run.phases.map { phase in
      [
        "  \(phase.phase + 1)", "\(phase.round)", phase.task, "\(phase.steps)",
        NumberText.grouped(phase.tokens),
        duration(phase.seconds), number(phase.lastLoss, 3), number(phase.lastValidation?.loss, 3),
        percent(phase.lastValidation?.accuracy),
      ]
    }
    let head = [
      "  phase", "round", "task", "steps", "tokens", "time", "last loss", "validation loss", "right, %",
    ]
    return "Phases\n" + TextTable.aligned([head] + rows, right: [0, 1, 3, 4, 5, 6, 7, 8])
  }

  /// A line for each, by benchmark, method and seed; benchmarks and methods in the order of the plan.
  private static func measurements(_ run: RunDetails) -> String? {
    guard !run.measurements.isEmpty else { return nil }
    let rows = MeasurementOrder.sorted(run.measurements).map { one -> [String] in
      func count(_ metric: String) -> String { one.value(metric).map(whole) ?? "-" }
      let seconds = one.value("seconds").map { $0 + (one.value("evaluationSeconds") ?? 0) }
      return [
        "  " + one.benchmark, one.method, "\(one.seed)", percent(one.value("allRight")),
        percent(one.mean("gold")), percent(one.mean("chained")), percent(one.value("forgetting")),
        count("parameters"), count("steps"), count("tokens"), seconds.map(duration) ?? "-",
        one.state.rawValue,
      ]
    }
    let head = [
      "  benchmark", "method", "seed", "every task", "gold", "chained", "forgotten", "trained values",
      "steps", "tokens", "time", "state",
    ]
    return "Measurements; accuracies in %, gold and chained as means of the tasks\n"
      + TextTable.aligned([head] + rows, right: Set(2...10))
  }

  private static func evaluation(_ result: EvaluationRecord) -> String {
    let what = result.isBase ? "Evaluation of the base model" : "Evaluation"
    let rows = result.tasks.map { task in
      [
        "  " + task.task, "\(task.goldCorrect)/\(task.goldCount)", percent(task.goldAccuracy),
        "\(task.chainedCorrect)/\(task.chainedCount)", percent(task.chainedAccuracy),
      ]
    }
    return TerminalText.line("\(what), \(result.split) split of \(result.data), \(result.episodes) episodes")
      + "\n"
      + TextTable.aligned([["  task", "gold", "%", "chained", "%"]] + rows, right: [1, 2, 3, 4])
      + "\n  every task right: \(result.allRight)/\(result.episodes)"
  }

  /// In one line, which no table cuts.
  private static func warning(_ warning: RunWarning) -> String {
    TerminalText.line("  step \(warning.totalStep): \(warning.text)")
  }

  private static func table(_ title: String, _ rows: [[String]]) -> String? {
    rows.isEmpty ? nil : title + "\n" + TextTable.aligned(rows)
  }

  static func number(_ value: Double?, _ digits: Int) -> String {
    guard let value else { return "-" }
    let text = String(format: "%.\(digits)f", value)
    // A small negative number is rounded to -0.0.
    return text.contains { $0.isNumber && $0 != "0" } ? text : text.replacing("-", with: "")
  }

  static func percent(_ share: Double?) -> String { number(share.map { 100 * $0 }, 1) }

  /// A count, which a file may have as any number.
  private static func whole(_ value: Double) -> String {
    NumberText.grouped(Int(min(max(value, 0), 1e15).rounded()))
  }

  /// Seconds as hours, minutes and seconds.
  static func duration(_ seconds: Double) -> String {
    // A file may have any number.
    let all = Int(min(max(seconds, 0), 1e15).rounded())
    if seconds < 10 { return String(format: "%.1f s", max(seconds, 0)) }
    if all < 60 { return "\(all) s" }
    if all < 3600 { return "\(all / 60) min \(all % 60) s" }
    return "\(all / 3600) h \(all / 60 % 60) min"
  }

  /// A time as date and time of day in UTC.
  static func time(_ seconds: Double) -> String {
    var seconds = time_t(min(max(seconds, 0), 2e11))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return String(
      format: "%04d-%02d-%02d %02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
      parts.tm_hour,
      parts.tm_min)
  }
}
