import ArgumentParser
import Datasets
import Evaluation
import Foundation
import Runs

struct EvaluateCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case table, json }

  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measures a trained workflow: gold and chained accuracy, task by task.",
    discussion: """
      Every task is answered twice: with the recorded answers of its parents (gold) and with the model's own \
      (chained). The difference is the composition gap. `gold` and `chained` score the reply in the form the \
      model was trained on, which is also what children read; `letter` scores the option's letter alone, \
      `text` the option's text alone, `text/char` the same per character. The interval is that of the \
      chained accuracy.

      With --base the same for the model without the adapter (zero-shot), and with --shortcuts what can be \
      guessed without understanding: the majority answer, a place in the list, word counts.

      EXAMPLE
        contexture evaluate runs/iov
        contexture evaluate runs/iov --split valid --format json
        contexture evaluate runs/iov --base --limit 100

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run")) var folder: String
  @OptionGroup var models: ModelsFolder
  @Option(help: "train, valid or test.") var split = DatasetFolder.Split.test
  @Option(help: ArgumentHelp("Another data folder than the run's.", valueName: "dir")) var data: String?
  @Option(help: "At most so many episodes.") var limit: Int?
  @Flag(help: "Measure the base model without the adapter.") var base = false
  @Flag(help: "Also show what shortcuts reach on this data.") var shortcuts = false
  @Option(help: "How to show it.") var format = Format.table

  func validate() throws {
    if let limit, limit < 1 {
      throw ValidationError("--limit: \(limit) is no number of episodes; give 1 or more")
    }
  }

  func run() throws {
    let trained = try TrainedWorkflow(run: folder, models: models.models)
    var episodes = try trained.episodes(split, data: data)
    if let limit { episodes = Array(episodes.prefix(limit)) }
    let report = try trained.evaluator(base: base).evaluate(episodes) { task, chained, done, all in
      Console.complain("[\(done + 1)/\(all)] \(task)\(chained ? ", chained" : "")")
    }
    switch format {
    case .json: try Console.print(report.json)
    case .table:
      let what = base ? "The base model, zero-shot" : "The trained workflow"
      let state = trained.isComplete || base ? "" : " (training not finished: the last checkpoint)"
      try Console.print("\(what)\(state), \(split.rawValue) split: " + report.text)
    }
    if shortcuts {
      let workflow = trained.loaded.workflow
      let tasks = workflow.tasks.map { DatasetTask(name: $0.name, inputs: $0.inputs, parents: $0.parents) }
      let baselines = ShortcutBaselines.measure(
        train: try trained.episodes(.train, data: data), test: episodes, tasks: tasks)
      switch format {
      case .json: try Console.printJSON(baselines)
      case .table: try Console.print("\nWhat shortcuts reach\n\n" + baselines.text)
      }
    }
  }
}

extension DatasetFolder.Split: ExpressibleByArgument {}
