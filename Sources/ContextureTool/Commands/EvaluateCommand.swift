import ArgumentParser
import Checkpoint
import Datasets
import Evaluation
import Foundation
import InputErrors
import Runs
import SafeFiles

struct EvaluateCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case table, json }

  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measures a trained workflow: gold and chained accuracy, task by task.",
    discussion: """
      Every task is answered twice: with its parents' gold answers (gold) and with their predicted answers \
      (chained). The difference is the composition gap. `gold` and `chained` score the reply in the form the \
      model was trained on, which is also what children read; `letter` scores the option's letter alone, \
      `text` the option's text alone, `text/char` the same per character. Each interval is the \
      95 % confidence interval of the accuracy beside it.

      All episodes are rendered before the first is answered: if some do not fit the model's context, they are \
      named, and nothing is answered. A free-text answer that has not ended at its limit (`tasks.TASK.maxTokens`) is \
      cut, and `cut` counts them. Parents' predicted answers that make a prompt too long are shortened, and counted \
      below the table.

      A task that scores no better than its most frequent answer is reported as not learnt. Warnings from \
      training are repeated.

      --base measures the model without the adapter (zero-shot) instead. --shortcuts adds what can be \
      guessed without understanding: the majority answer, a position in the list, word counts. If --format \
      json prints both, they are the members `report` and `shortcuts` of one object.

      The result is also recorded in a store, which 'contexture runs' lists, shows and compares. A store that cannot \
      be written does not end the evaluation. Ctrl-C stops it after the next few episodes; nothing is printed or \
      written then.

      Every predicted answer is written beside the gold one, one JSON object per line: read it when an accuracy is \
      lower than expected. On the test split of the run's own data, the file is predictions.jsonl in the run folder, \
      which 'contexture report' reads; --predictions names another one, also for what has none.

      EXAMPLE
        contexture evaluate runs/iov
        contexture evaluate runs/iov --split valid --format json
        contexture evaluate runs/iov --base --limit 100
        contexture evaluate runs/iov --split valid --predictions answers.jsonl

      \(ExitStatus.manual)
        3  interrupted
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run")) var folder: String
  @OptionGroup var models: ModelsFolder
  @Option(help: "train, valid or test.") var split = DatasetFolder.Split.test
  @Option(help: ArgumentHelp("The data folder. Default: the run's.", valueName: "dir")) var data: String?
  @Option(help: "The maximum number of episodes.") var limit: Int?
  @Flag(help: "Measure the base model without the adapter.") var base = false
  @Flag(help: "Also show the accuracy of shortcut baselines on this data.") var shortcuts = false
  @Option(help: ArgumentHelp("Write every answer to this file, as JSON lines.", valueName: "file"))
  var predictions: String?
  @Option(help: "The output format.") var format = Format.table
  @OptionGroup var storage: StoreOptions

  func validate() throws {
    if let limit, limit < 1 {
      throw ValidationError("--limit: \(limit) is not a number of episodes; give 1 or more")
    }
  }

  func run() throws {
    try storage.check()
    let trained = try TrainedWorkflow(run: folder, models: models.models)
    Console.noteEmulation(trained.model.device.computeType)
    let progress = PreparationProgress()
    func read(_ split: DatasetFolder.Split) throws -> EpisodeTable {
      try trained.table(split, data: data) { progress.show($0) }
    }
    let table = try read(split)
    let episodes = Array(table.prefix(limit ?? .max))
    // Read this before the work is done, so that a missing file is reported at once.
    let train = shortcuts ? try read(.train) : nil
    // Another data folder may lack the training split.
    let frequent = base ? nil : train ?? (try? read(.train))
    if let predictions { try OutputFile.check(predictions, option: "--predictions") }
    let interrupts = Interrupts(stopping: "Stopping; nothing will be printed or written")
    let records = EvaluationRecords(trained, folder: folder, isBase: base, store: storage)
    do {
      try evaluate(trained, episodes, train: train, frequent: frequent, records, progress, interrupts)
      records.finish(.finished)
    } catch OutputError.readerIsGone {
      // It is measured and recorded; only the rest of the table is not read.
      records.finish(.finished)
      throw OutputError.readerIsGone
    } catch is Stopped {
      records.finish(.stopped)
      throw ExitCode(ExitStatus.interrupted)
    } catch {
      records.finish(.failed("\(error)"))
      throw error
    }
  }

  private struct Stopped: Error {}

  /// - Parameters:
  ///   - train: the training episodes for the shortcut baselines, if those are wanted.
  ///   - frequent: the training episodes with the most frequent answers, if they can be read.
  private func evaluate(
    _ trained: TrainedWorkflow, _ episodes: [Episode], train: EpisodeTable?, frequent: EpisodeTable?,
    _ records: EvaluationRecords, _ progress: PreparationProgress, _ interrupts: Interrupts
  ) throws {
    func check() throws { if interrupts.requested { throw Stopped() } }
    let graph = trained.workflow.graph
    var answers: [TaskPrediction] = []
    let source = TaskPrediction.Source(
      split: split.rawValue, data: trained.data(data).path, adapter: base ? nil : try trained.checksum())
    var report = try trained.evaluator(base: base).evaluate(episodes) { task, chained, done, all in
      Console.complain(inOneLine: "[\(done + 1)/\(all)] \(task)\(chained ? ", chained" : "")")
    } check: {
      try check()
    } onAnswers: { task, gold, chained, read in
      answers += TaskPrediction.lines(
        task: task, parents: graph.parents(of: task), episodes: episodes, gold: gold, chained: chained,
        read: read, source: source)
    } onRendering: { path, done, all in
      progress.show(DataPreparation(.rendering, path, done: done, all: all))
    }
    try check()
    try trained.material.checkUnchanged()
    // Before anything is printed, because nobody may read that to its end.
    try write(answers)
    records.record(report, split: split.rawValue, data: trained.data(data).path, isBase: base)
    if let frequent { report.addMajorities(train: frequent, test: episodes) }
    let tasks = trained.workflow.datasetTasks
    let baselines = train.map { train in
      ShortcutBaselines.measure(train: train, test: episodes, tasks: tasks) { done in
        progress.show(DataPreparation(.measuring, folder, done: done, all: tasks.count))
      }
    }
    switch format {
    case .json: try Console.print(baselines.map { try Self.json(report, $0) } ?? report.json)
    case .table:
      let what = base ? "The base model, zero-shot" : "The trained workflow"
      let state = trained.isComplete || base ? "" : " (training not finished: the last checkpoint)"
      let source = "\(split.rawValue) split of \(trained.data(data).path)"
      try Console.print("\(what)\(state), \(source): " + report.text)
      for warning in base ? [] : try RunFolder(folder).loggedWarnings() {
        try Console.print("Warning from training: \(warning.text)")
      }
      if let baselines {
        try Console.print("\nShortcut baselines\n\n" + baselines.text)
        let counts = [("train", train?.count ?? 0), (split.rawValue, episodes.count)]
        for note in BaselineReport.limitNotes(counts) { try Console.print("\n" + note) }
      }
    }
  }

  /// Writes the answers into the file that was given, or into the run folder if they are the run's on its test split.
  ///
  /// - Throws: the reason why a file that was given cannot be written.
  private func write(_ answers: [TaskPrediction]) throws {
    if let predictions {
      return try AtomicFile.write(answers.jsonLines(), to: URL(fileURLWithPath: predictions))
    }
    guard !base, split == .test, data == nil else { return }
    do {
      try AtomicFile.write(answers.jsonLines(), to: RunFolder(folder).predictions)
    } catch let error as any InputError {
      // A run folder that others may only read.
      Console.complain(inOneLine: "warning: \(error) (a report will not have these answers)")
    }
  }

  /// Both reports as one JSON object.
  private static func json(_ report: EvaluationReport, _ shortcuts: BaselineReport) throws -> String {
    let parts = ["report": Data(report.json.utf8), "shortcuts": try JSONEncoder().encode(shortcuts)]
    let object = try parts.mapValues { try JSONSerialization.jsonObject(with: $0) }
    let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .prettyPrinted])
    return String(decoding: data, as: UTF8.self)
  }
}

extension DatasetFolder.Split: ExpressibleByArgument {}
