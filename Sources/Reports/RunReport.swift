import ContextLoRA
import Evaluation
import Foundation
import RunStore
import TextTables

/// The part of a report on one run.
struct RunReport {
  let facts: RunFacts

  private var tasks: [String] { facts.workflow.tasks.map(\.name) }

  var html: String {
    [
      state, graph, accuracies, curves, columns, errors, settings,
    ].joined(separator: "\n")
  }

  private var state: String {
    let last = facts.steps.last
    let place = last.map { ", at step \($0.totalStep) (\($0.task), step \($0.step) of its phase)" } ?? ""
    let line =
      switch facts.state {
      case .finished: "Finished after \(NumberText.grouped(last?.totalStep ?? 0)) optimiser steps."
      case .training: "A process is training\(place). This page shows what there is so far."
      case .unfinished(let state):
        "Not finished: \(Self.end(state, place)). Continue with contexture train … --resume. This page shows what there is."
      }
    let warnings = facts.warnings.map { "<li>\(HTML.text($0))</li>" }.joined()
    return (facts.state == .finished ? HTML.paragraph(line) : "<p class=\"state\">\(HTML.text(line))</p>")
      + (warnings.isEmpty ? "" : "<p>Warnings from training:</p><ul>\(warnings)</ul>")
  }

  /// How a training ended that is not finished.
  private static func end(_ state: RunState?, _ place: String) -> String {
    switch state {
    // The folder's lock is free, so a run of which the store knows no end has no process any more.
    case .died, .running: "its process died" + place
    case .failed(let message): "failed" + place + (message.isEmpty ? "" : ": " + message)
    case .silent(let host, _): "no sign of life from \(host)" + place
    case .stopped, .finished, nil: "stopped" + place
    }
  }

  private var graph: String {
    var notes: [String: String] = [:]
    for task in tasks {
      if let found = facts.accuracy(task, .chained) { notes[task] = Self.percent(found) + " right, chained" }
    }
    return HTML.section(
      "Tasks", GraphFigure(graph: facts.workflow.graph, blocks: facts.workflow.rankBlocks, notes: notes).svg)
  }

  private var accuracies: String {
    guard let all = facts.allRight else {
      return HTML.section(
        "Accuracy",
        HTML.paragraph(
          "Not measured for this page. Run contexture evaluate RUN, then the report again."
        ))
    }
    let rows = tasks.compactMap { task -> [String]? in
      guard let gold = facts.accuracy(task, .gold), let chained = facts.accuracy(task, .chained) else {
        return nil
      }
      let isRoot = facts.workflow.graph.parents(of: task).isEmpty
      let gap = 100 * (Self.share(gold) - Self.share(chained))
      return [
        task, "\(gold.right)/\(gold.count)", Self.percent(gold),
        isRoot ? "" : "\(chained.right)/\(chained.count)",
        isRoot ? "" : Self.percent(chained), isRoot ? "" : String(format: "%.1f", gap == 0 ? 0 : gap),
      ]
    }
    let notes = facts.predictionNotes.map { "<p class=\"state\">\(HTML.text($0))</p>" }.joined()
    return HTML.section(
      "Accuracy",
      notes + HTML.table([["task", "gold", "%", "chained", "%", "gap, points"]] + rows)
        + HTML.paragraph("Every task right, chained: \(all.right) of \(all.count) episodes.")
        + "<p class=\"note\">Gold: with the parents' gold answers. Chained: with the parents' predicted answers.</p>"
    )
  }

  private var curves: String {
    guard !facts.steps.isEmpty else { return "" }
    var spans: [LineChart.Span] = []
    var losses: [LineChart.Series] = []
    var scores: [LineChart.Series] = []
    for (number, phase) in phases.enumerated() {
      let (first, last) = (Double(phase[0].totalStep), Double(phase[phase.count - 1].totalStep))
      spans.append(LineChart.Span(name: phase[0].task, range: first...max(first, last)))
      let colour = tasks.firstIndex(of: phase[0].task) ?? number
      losses.append(
        LineChart.Series(
          name: phase[0].task, points: Self.thinned(phase), isMarked: phase.count == 1, colour: colour))
      let validated = phase.compactMap { record in
        record.validation.map { (x: Double(record.totalStep), y: $0.score.accuracy) }
      }
      scores.append(LineChart.Series(name: phase[0].task, points: validated, colour: colour))
    }
    let loss = LineChart(
      title: "Mean cross-entropy of the answer tokens", x: "optimiser step", y: "loss, nats", series: losses,
      spans: spans)
    let accuracy = LineChart(
      title: "Accuracy on validation episodes, with gold parents' answers", x: "optimiser step", y: "right",
      series: scores, spans: spans, range: 0...1, isShare: true)
    let rows = phases.map { phase -> [String] in
      let last = phase[phase.count - 1]
      let best = phase.compactMap { $0.validation?.score }.max {
        ($0.accuracy, -$0.loss) < ($1.accuracy, -$1.loss)
      }
      return [
        last.task, "\(phase.count)", NumberText.grouped(phase.reduce(0) { $0 + $1.tokens }),
        String(format: "%.4f", last.loss), best.map { String(format: "%.1f", 100 * $0.accuracy) } ?? "",
        String(format: "%.0f", phase.reduce(0) { $0 + $1.seconds }),
      ]
    }
    return HTML.section(
      "Training",
      loss.html + accuracy.html
        + HTML.table([["phase", "steps", "tokens", "last loss", "best validation, %", "seconds"]] + rows))
  }

  /// The steps of each phase, in order.
  private var phases: [[StepRecord]] {
    var result: [[StepRecord]] = []
    for record in facts.steps {
      if let last = result.last?.last, last.phase == record.phase {
        result[result.count - 1].append(record)
      } else {
        result.append([record])
      }
    }
    return result
  }

  /// Means of at most about 200 groups of steps.
  private static func thinned(_ steps: [StepRecord]) -> [(x: Double, y: Double)] {
    let size = max(1, steps.count / 200)
    return stride(from: 0, to: steps.count, by: size).map { start in
      let group = steps[start..<min(start + size, steps.count)]
      return (
        Double(group.reduce(0) { $0 + $1.totalStep }) / Double(group.count),
        group.reduce(0) { $0 + $1.loss } / Double(group.count)
      )
    }
  }

  private var columns: String {
    HTML.section("Columns", PhaseFigure(schedule: facts.workflow.phaseSchedule).svg)
  }

  /// The wrong answers shown for each task.
  private static let shownErrors = 5

  private var errors: String {
    guard !facts.predictions.isEmpty else { return "" }
    let parts = tasks.map { task -> String in
      let isRoot = facts.workflow.graph.parents(of: task).isEmpty
      let wrong = facts.predictions.filter {
        $0.task == task && !$0.right && (isRoot || $0.parents == .chained)
      }
      guard !wrong.isEmpty else { return "<h3>\(HTML.text(task))</h3>" + HTML.paragraph("No errors.") }
      var kinds: [String: Int] = [:]
      for line in wrong { kinds["\(line.expected) → \(line.answer)", default: 0] += 1 }
      let rows = kinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(8).map {
        [$0.key, "\($0.value)"]
      }
      let examples = wrong.prefix(Self.shownErrors).map { example($0) }.joined(separator: "\n")
      return "<h3>\(HTML.text(task)): \(wrong.count) wrong</h3>"
        + HTML.table([["expected → answered", "times"]] + rows)
        + "<details><summary>Examples</summary>\(examples)</details>"
    }
    return HTML.section("Errors, chained", parts.joined(separator: "\n"))
  }

  private func example(_ line: TaskPrediction) -> String {
    var facts: [(String, String)] = [("episode", line.episode)]
    if let episode = self.facts.episodes[line.episode], let task = self.facts.workflow.task(line.task) {
      for input in task.inputs { facts.append((input, episode.inputs[input] ?? "")) }
    }
    for (parent, answer) in line.read.sorted(by: { $0.key < $1.key }) {
      facts.append(("read: " + parent, answer))
    }
    facts.append(("expected", line.expected))
    facts.append(
      ("answered", line.answer + String(format: " (%.0f %%)", 100 * min(max(line.probability, 0), 1))))
    let items = facts.map { "<dt>\(HTML.text($0.0))</dt><dd>\(HTML.text($0.1))</dd>" }.joined()
    return "<div class=\"error\"><dl>\(items)</dl></div>"
  }

  private var settings: String {
    let seconds = facts.steps.reduce(0) { $0 + $1.seconds }
    let rows = [
      ["model", facts.manifest.model], ["model identity", facts.manifest.modelIdentity],
      ["training data", facts.manifest.dataIdentity], ["number format", facts.manifest.precision],
      ["seed", "\(facts.workflow.training.seed)"], ["training time", String(format: "%.0f s", seconds)],
    ]
    return HTML.section(
      "Settings",
      HTML.table([["", ""]] + rows, leading: 2)
        + "<details><summary>The workflow with every setting</summary><pre>\(HTML.text(facts.workflow.canonicalYAML()))</pre></details>"
    )
  }

  private static func share(_ count: (right: Int, count: Int)) -> Double {
    Double(count.right) / Double(max(count.count, 1))
  }

  private static func percent(_ count: (right: Int, count: Int)) -> String {
    String(format: "%.1f %%", 100 * share(count))
  }
}
