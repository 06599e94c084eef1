import ArgumentParser
import Checkpoint
import Foundation
import Runs

struct ExportCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case peft, gguf }

  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes one task's columns as an adapter that other programs load.",
    discussion: """
      The adapter holds the columns that the task sees: its own and its prerequisites'. `peft` makes a folder \
      for Hugging Face PEFT, `gguf` a LoRA file for llama.cpp. alpha is scaled so that alpha / r is the scale \
      the task was trained with.

      EXAMPLE
        contexture export runs/iov --task decide --format peft --out exported/decide

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run")) var folder: String
  @OptionGroup var models: ModelsFolder
  @Option(help: "The task.") var task: String
  @Option(help: "What to write.") var format = Format.peft
  @Option(help: ArgumentHelp("The folder (peft) or file (gguf) to write.", valueName: "path")) var out: String

  func run() throws {
    let trained = try TrainedWorkflow(run: folder, models: models.models)
    let (modules, rank) = try trained.modules(task: task)
    let workflow = trained.loaded.workflow
    let alpha = Double(trained.file.adapter.scale) * Double(rank)
    let url = URL(fileURLWithPath: out)
    switch format {
    case .peft:
      try OutputFolder.refuseContents(out)
      try PEFTAdapter(
        modules: modules, rank: rank, alpha: alpha, baseModel: workflow.model,
        card:
          "Task `\(task)` of the workflow `\(workflow.name)`: \(rank) of \(trained.file.adapter.rank) rank "
          + "columns, its own and its prerequisites'."
      ).write(to: url)
    case .gguf:
      guard !FileManager.default.fileExists(atPath: out) else {
        throw InputError(place: out, problem: "is there already", remedy: "give --out another name")
      }
      try GGUFAdapter(
        modules: modules, alpha: Float(alpha), name: "\(workflow.name)-\(task)",
        configuration: trained.loaded.stage.configuration
      ).write(to: url)
    }
    try Console.print("Task \(task), \(rank) columns, alpha \(alpha): written to \(out)")
  }
}
