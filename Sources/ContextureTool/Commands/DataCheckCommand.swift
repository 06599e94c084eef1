import ArgumentParser
import Datasets
import Workflows

struct DataCheckCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case table, json }

  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks a data folder against a workflow, and measures how far guessing gets.",
    discussion: """
      Reads train.jsonl, valid.jsonl and test.jsonl as training would: every line must have the inputs and \
      items that the workflow's tasks need. Reports the first error on each invalid line, up to \
      \(DatasetMistakes.limit) per file. Then fits shortcut baselines, which understand nothing, to train \
      and measures them on test, in percent: if one of them does well on a task, that task can be guessed, \
      and a model's accuracy on it says little.

      BASELINES
        chance          a random option
        majority        the most frequent answer in train
        position        the option at the position most often right in train
        longest         the option with the most characters
        shortest        the option with the fewest characters
        overlap         the option that shares the most words with the task's inputs
        bayes alone     naive Bayes over words and word pairs of the task's inputs
        bayes+parents   the same with the parents' gold answers
        oracle alone    the limit without the parents' answers, if it is known

      EXAMPLE
        contexture data check data/iov --workflow Examples/iov.yaml

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("The folder with train.jsonl, valid.jsonl and test.jsonl.", valueName: "dir"))
  var folder: String

  @Option(help: ArgumentHelp("The workflow whose tasks the data is for.", valueName: "workflow.yaml"))
  var workflow: String

  @Option(help: "The output format.")
  var format = Format.table

  func run() throws {
    let described = try Workflow(contentsOf: workflow)
    let tasks = described.datasetTasks
    let names = tasks.map(\.name)
    let data = DatasetFolder(path: folder)
    let splits: DatasetSplits
    do {
      splits = try data.read(schema: described.episodeSchema)
    } catch {
      // Reading ends at the first mistake; report all of them.
      try DatasetMistakes.refuse(in: data, schema: described.episodeSchema)
      throw error
    }
    let report = Report(
      episodes: ["train": splits.train.count, "valid": splits.valid.count, "test": splits.test.count],
      repeatedInTest: repeats(splits),
      baselines: ShortcutBaselines.measure(train: splits.train, test: splits.test, tasks: tasks))
    switch format {
    case .json: try Console.printJSON(report)
    case .table:
      var lines = [
        "\(folder): train \(splits.train.count), valid \(splits.valid.count), test \(splits.test.count) "
          + "episodes; every line has what the \(tasks.count) tasks of \(workflow) need", "",
        report.baselines.text,
      ]
      for name in names where isMixed(name, splits) {
        lines += ["", "Note: \(name) has options in some episodes and none in others."]
      }
      if report.repeatedInTest > 0 {
        lines += [
          "",
          "Note: \(report.repeatedInTest) test episodes have the same inputs as a training episode; "
            + "accuracy on them shows memorisation.",
        ]
      }
      try Console.print(lines.joined(separator: "\n"))
    }
  }

  /// The output of `--format json`.
  private struct Report: Encodable {
    let episodes: [String: Int]
    let repeatedInTest: Int
    let baselines: BaselineReport
  }

  /// Whether a task is multiple choice in some episodes and free text in others.
  private func isMixed(_ task: String, _ splits: DatasetSplits) -> Bool {
    let episodes = splits.train + splits.valid + splits.test
    return Set(episodes.map { $0.tasks[task]?.options.isEmpty ?? true }).count > 1
  }

  /// The number of test episodes with the same inputs as a training episode.
  private func repeats(_ splits: DatasetSplits) -> Int {
    let known = Set(splits.train.map(\.inputs))
    return splits.test.count { known.contains($0.inputs) }
  }
}
