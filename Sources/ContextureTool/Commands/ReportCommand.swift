import ArgumentParser
import Foundation
import Reports
import SafeFiles

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Writes one HTML file on trainings and experiments, which opens without a network.",
    discussion: """
      Of a run: the graph with its blocks, loss and accuracy curves with phases marked, the columns of each phase, \
      errors with examples, settings. Accuracies and errors are those of the last 'contexture evaluate' of the run. Of an \
      experiment: the tables and figures of `contexture experiment`. A run that is running, stopped, failed or died is \
      shown as far as it is, and the page begins with that.

      A run is named by its folder, or as in 'contexture runs show'. An evaluation means the training that it \
      measured. --experiments reports on all results in a folder, of any experiments.

      EXAMPLE
        contexture evaluate runs/iov
        contexture report runs/iov --out report.html
        contexture report 3f9c --store runs/contexture.sqlite
        contexture report --experiments experiments --out report.html

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("Run folders, or runs of the store.", valueName: "run")) var runs: [String] =
    []
  @Option(help: ArgumentHelp("A folder of results of experiments.", valueName: "dir")) var experiments:
    String?
  @OptionGroup var source: ReadStoreOptions
  @Option(help: ArgumentHelp("The file to write.", valueName: "file")) var out = "report.html"

  func run() throws {
    try OutputFile.check(out, option: "--out")
    let sources = try ReportSources(runs, experiments: experiments, store: source)
    let report = try Report(trainings: sources.trainings, experiments: sources.experiments)
    try AtomicFile.write(report.html, to: URL(fileURLWithPath: out))
    try Console.print("Wrote \(out)")
  }
}
