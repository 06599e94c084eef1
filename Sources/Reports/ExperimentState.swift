import RunStore

/// How far an experiment is, above its tables.
struct ExperimentState {
  private let experiment: Report.Results

  init(_ experiment: Report.Results) { self.experiment = experiment }

  /// Empty if nothing is known of it.
  var html: String {
    guard let state = experiment.state, let progress = experiment.progress else { return "" }
    let isDone = state == .finished && progress.done >= progress.planned
    let line =
      switch state {
      case .finished where isDone: "Finished: \(progress.text)."
      case .finished:
        "Finished, but only \(progress.text) are in the folder of results. This page shows these."
      case .running: "Running: \(progress.text) so far. This page shows what there is."
      case .stopped: unfinished("stopped", progress.text)
      case .failed(let message):
        unfinished("failed" + (message.isEmpty ? "" : " (\(message))"), progress.text)
      case .died: unfinished("its process died", progress.text)
      case .silent(let host, _): unfinished("no sign of life from \(host)", progress.text)
      }
    return isDone
      ? HTML.paragraph("\(experiment.name): \(line)")
      : "<p class=\"state\">\(HTML.text("\(experiment.name): \(line)"))</p>"
  }

  private func unfinished(_ end: String, _ progress: String) -> String {
    "Not finished: \(end); \(progress). Run the same contexture experiment again to continue. This page shows what "
      + "there is."
  }
}
