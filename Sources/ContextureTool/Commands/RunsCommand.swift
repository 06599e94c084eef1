import ArgumentParser
import RunStore

struct RunsCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "Lists, shows and compares trainings, evaluations and experiments.",
    subcommands: [RunsListCommand.self, RunsShowCommand.self, RunsCompareCommand.self])

  /// How a run is named, for help pages.
  static let naming = """
    A run is named by its ID, the beginning of one that no other run has, or its folder. A folder means the newest \
    run in it.
    """
}

struct RunsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the runs of a store, the newest first.",
    discussion: """
      The accuracy of a training is that of its last evaluation without --base: the mean of the tasks' chained \
      accuracies. A run is `running` until it has ended; if its process is gone and has given no sign of life for a \
      minute, it has `died`.

      EXAMPLE
        contexture runs list
        contexture runs list --store runs/contexture.sqlite
        contexture runs list --format json

      \(ExitStatus.manual)
      """)

  @OptionGroup var source: ReadStoreOptions
  @Option(help: "The output format.") var format = RunsCommand.Format.text

  func run() throws {
    let store = try source.open()
    let runs = try store.runs()
    switch format {
    case .json: try Console.printJSON(runs)
    case .text: try Console.print(RunReport.list(runs))
    }
  }
}

struct RunsShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows a run: settings, machine, phases, accuracies and warnings.",
    discussion: """
      \(RunsCommand.naming) With --format json, also the workflow's text and the identities of model and data.

      EXAMPLE
        contexture runs show runs/iov
        contexture runs show 3f9c
        contexture runs show 3f9c --store runs/contexture.sqlite --format json

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("The run.", valueName: "run")) var name: String
  @OptionGroup var source: ReadStoreOptions
  @Option(help: "The output format.") var format = RunsCommand.Format.text

  func run() throws {
    let store = try source.open(for: [name])
    let details = try store.details(of: store.identifier(of: name))
    switch format {
    case .json: try Console.printJSON(details)
    case .text: try Console.print(RunReport.details(details))
    }
  }
}

struct RunsCompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Compares runs: settings that differ, accuracies and times.",
    discussion: """
      \(RunsCommand.naming)

      Differences are against the first run. Accuracies are those of each run's last evaluation, without --base if \
      there is one; runs evaluated on different data or episodes are pointed out. Of experiments, the measurements of \
      the same method on the same benchmark with the same seed are compared; they cannot be compared with other runs.

      EXAMPLE
        contexture runs compare runs/iov runs/frozen
        contexture runs compare 3f9c 77a0 b12e --format json

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("The runs, at least two.", valueName: "run")) var names: [String]
  @OptionGroup var source: ReadStoreOptions
  @Option(help: "The output format.") var format = RunsCommand.Format.text

  func validate() throws {
    if names.count < 2 {
      throw ValidationError("run: \(names.count) is too few to compare; name at least two")
    }
  }

  func run() throws {
    let store = try source.open(for: names)
    let runs = try names.map { name in try store.details(of: store.identifier(of: name)) }
    if runs.contains(where: { $0.summary.kind == RunKind.experiment.rawValue }) {
      let comparison = try ExperimentComparison(runs)
      switch format {
      case .json: try Console.printJSON(comparison)
      case .text: try Console.print(comparison.text)
      }
      return
    }
    let comparison = RunComparison(runs)
    switch format {
    case .json: try Console.printJSON(comparison)
    case .text: try Console.print(comparison.text)
    }
  }
}
