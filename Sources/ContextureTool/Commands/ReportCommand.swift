import ArgumentParser
import Experiments
import Foundation
import InputErrors
import Reports
import SafeFiles

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Writes one HTML file on trainings and experiments, which opens without a network.",
    discussion: """
      Of a run: the graph with its blocks, loss and accuracy curves with phases marked, the columns of each phase, \
      errors with examples, settings. Accuracies and errors need the predictions of an evaluation, in the run \
      folder. A run that is not finished is shown as far as it is.

      --experiments adds the tables and figures of `contexture experiment`.

      EXAMPLE
        contexture evaluate runs/iov --predictions runs/iov/predictions.jsonl
        contexture report runs/iov --out report.html
        contexture report --experiments experiments --out report.html

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("Run folders.", valueName: "run")) var runs: [String] = []
  @Option(help: ArgumentHelp("A folder of results of experiments.", valueName: "dir")) var experiments:
    String?
  @Option(help: ArgumentHelp("The file to write.", valueName: "file")) var out = "report.html"

  func run() throws {
    try OutputFile.check(out, option: "--out")
    let results = try experiments.map { try CellStore($0).all() } ?? []
    if let experiments, results.isEmpty {
      throw Refusal(
        experiments, "has no results of experiments",
        "run contexture experiment first, or give its --out folder")
    }
    let report = try Report(runs: runs, results: results)
    try AtomicFile.write(report.html, to: URL(fileURLWithPath: out))
    try Console.print("Wrote \(out)")
  }
}
