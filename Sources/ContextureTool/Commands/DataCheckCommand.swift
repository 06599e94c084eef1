import ArgumentParser
import Checkpoint
import Datasets
import Runs
import SafeFiles
import Workflows

struct DataCheckCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case table, json }

  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks a data folder against a workflow, and measures how far guessing gets.",
    discussion: """
      Reads train.jsonl, valid.jsonl and test.jsonl as training would: every line must have the inputs and \
      items that the workflow's tasks need. Reports the first error on each invalid line, up to \
      \(DatasetMistakes.limit) per file. If the workflow's model is there, renders every prompt, names the lines \
      that do not fit its context, and counts gold answers that are longer than generated ones may be. Then fits shortcut baselines, which understand nothing, to train \
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

  @OptionGroup var models: ModelsFolder

  func run() throws {
    let described = try Workflow(contentsOf: workflow)
    let tasks = described.datasetTasks
    let data = DatasetFolder(path: folder)
    let progress = PreparationProgress()
    let splits: DatasetTables
    do {
      splits = try data.tables(schema: described.episodeSchema) { split, done, all in
        progress.show(DataPreparation(.reading, data.file(split), done: done, all: all))
      }
    } catch {
      // Reading ends at the first mistake; report all of them.
      try DatasetMistakes.refuse(in: data, schema: described.episodeSchema)
      throw error
    }
    let (long, unchecked) = try checkPrompts(described, data, splits, progress)
    let baselines = ShortcutBaselines.measure(train: splits.train, test: splits.test, tasks: tasks) { done in
      progress.show(DataPreparation(.measuring, folder, done: done, all: tasks.count))
    }
    let report = Report(
      episodes: ["train": splits.train.count, "valid": splits.valid.count, "test": splits.test.count],
      repeatedInTest: repeats(splits, described), baselines: baselines, promptsChecked: unchecked == nil,
      longAnswers: long)
    switch format {
    case .json: try Console.printJSON(report)
    case .table: try Console.print(text(report, described, splits, unchecked))
    }
  }

  /// Renders every prompt, if the model is there.
  ///
  /// - Returns: the gold answers that are too long, and why nothing was rendered.
  /// - Throws: an error with what is wrong with the model's files or with the episodes.
  private func checkPrompts(
    _ workflow: Workflow, _ data: DatasetFolder, _ splits: DatasetTables, _ progress: PreparationProgress
  ) throws -> ([LongAnswersOfFile], unchecked: String?) {
    let path: String
    do { path = try ModelLocation(workflow, models: models.models).path } catch let error as FileError
      where error.kind == .missing
    {
      return ([], "\(error)")
    }
    let material = try WorkflowMaterial(workflow, models: models.models, modelPath: path)
    return (try material.check(data, splits) { progress.show($0) }, nil)
  }

  private func text(
    _ report: Report, _ described: Workflow, _ splits: DatasetTables, _ unchecked: String?
  ) -> String {
    let (train, valid, test) = (splits.train.count, splits.valid.count, splits.test.count)
    var lines = [
      "\(folder): train \(train), valid \(valid), test \(test) episodes; every line has what the "
        + "\(described.tasks.count) tasks of \(workflow) need"
        + (unchecked == nil ? ", and fits the model's context" : ""), "",
      report.baselines.text,
    ]
    for note in BaselineReport.limitNotes([("train", train), ("test", test)]) { lines += ["", note] }
    for name in mixed(described.tasks.map(\.name), splits) {
      lines += ["", "Note: \(name) has options in some episodes and none in others."]
    }
    for answers in report.longAnswers { lines += ["", "Note: \(answers.text)."] }
    if report.repeatedInTest > 0 {
      lines += [
        "",
        "Note: \(report.repeatedInTest) test episodes show the model the same inputs, questions and options as a "
          + "training episode; accuracy on them shows memorisation.",
      ]
    }
    if let unchecked {
      lines += [
        "",
        "Note: the prompts were not rendered, so it is not known whether all of them fit the model's context: "
          + unchecked,
      ]
    }
    return lines.joined(separator: "\n")
  }

  /// The output of `--format json`.
  private struct Report: Encodable {
    let episodes: [String: Int]
    let repeatedInTest: Int
    let baselines: BaselineReport
    let promptsChecked: Bool
    let longAnswers: [LongAnswersOfFile]
  }

  /// The tasks that are multiple choice in some episodes and free text in others.
  private func mixed(_ tasks: [String], _ splits: DatasetTables) -> [String] {
    var (choices, texts): (Set<String>, Set<String>) = ([], [])
    for split in DatasetFolder.Split.allCases {
      for episode in splits[split] {
        for name in tasks {
          if episode.tasks[name]?.options.isEmpty ?? true { texts.insert(name) } else { choices.insert(name) }
        }
      }
    }
    return tasks.filter { choices.contains($0) && texts.contains($0) }
  }

  /// The number of test episodes that show the model the same as a training episode.
  private func repeats(_ splits: DatasetTables, _ workflow: Workflow) -> Int {
    let shown = ShownContent(workflow.datasetTasks)
    let known = Set(splits.train.lazy.map(shown.fingerprint))
    return splits.test.count { known.contains(shown.fingerprint($0)) }
  }
}
