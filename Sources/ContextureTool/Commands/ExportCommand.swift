import ArgumentParser
import Checkpoint
import Foundation
import InputErrors
import Runs
import SafeFiles

struct ExportCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case peft, gguf }

  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes one task's columns as an adapter that other programs load.",
    discussion: """
      The adapter holds the columns that the task sees: its own and its prerequisites'. `peft` writes a \
      folder for Hugging Face PEFT, `gguf` a LoRA file for llama.cpp. alpha is set so that alpha / r is the \
      scale the task was trained with.

      --verify reads the export back as PEFT or llama.cpp would and compares its logits with the run's own, in \
      float32: at the replies of the first 4 test episodes (validation episodes if there are none), or at \
      the end of the prompt form if there is no data. An export that fails is kept, but must not be used.

      EXAMPLE
        contexture export runs/iov --task decide --format peft --verify
        contexture export runs/iov --task decide --format gguf --out decide.gguf

      \(ExitStatus.manual)
        1  also: with --verify, the files do not reproduce the run's logits
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run")) var folder: String
  @OptionGroup var models: ModelsFolder
  @Option(help: "The task.") var task: String
  @Option(help: "The format to write.") var format = Format.peft
  @Option(
    help: ArgumentHelp(
      "The folder (peft) or file (gguf) to write. Default: export/TASK or export/TASK.gguf in the run.",
      valueName: "path"))
  var out: String?
  @Flag(help: "Read the export back and compare its logits with the run's.") var verify = false

  func run() throws {
    let trained = try TrainedWorkflow(run: folder, models: models.models, type: verify ? .float32 : nil)
    let (modules, rank) = try trained.modules(task: task)
    // Read this before anything is written, so that invalid data leaves no unverified export.
    let prompts = verify ? try trained.checkPrompts(task: task) : nil
    let alpha = Double(trained.file.adapter.scale) * Double(rank)
    let out = out ?? defaultOut
    let url = URL(fileURLWithPath: out)
    do {
      switch format {
      case .peft:
        try OutputFolder.refuseContents(out)
        try peft(trained, modules, rank: rank, alpha: alpha).write(to: url)
      case .gguf:
        guard !FileManager.default.fileExists(atPath: out) else {
          throw Refusal(out, "already exists", "give --out another name")
        }
        let adapter = GGUFAdapter(
          modules: modules, alpha: Float(alpha), name: "\(trained.workflow.name)-\(task)",
          configuration: trained.model.configuration)
        try AtomicFolder.leavingNothing(at: out) {
          try AtomicFolder.make(url.deletingLastPathComponent())
          try adapter.write(to: url)
        }
      }
    } catch let error as FileError {
      throw error.naming(out, for: url.path)
    }
    let state = trained.isComplete ? "" : " (training not finished: the last checkpoint)"
    try Console.print("Task \(task), \(rank) columns, alpha \(alpha)\(state): written to \(out)")
    guard let prompts else { return }
    do {
      try Console.print(try trained.check(export: url, named: out, task: task, prompts).text)
    } catch let error as ExportCheckError {
      Console.complain(inOneLine: "contexture: \(error)")
      // The input was valid, unless the run itself is not.
      throw ExitCode(error.reason == .runNotFinite ? ExitStatus.wrongInput : ExitStatus.failure)
    }
  }

  /// A folder in the run folder, named after the task.
  private var defaultOut: String {
    URL(fileURLWithPath: folder).appendingPathComponent("export/\(task)\(format == .gguf ? ".gguf" : "")")
      .relativePath
  }

  private func peft(
    _ trained: TrainedWorkflow, _ modules: [AdapterModule], rank: Int, alpha: Double
  ) throws -> PEFTAdapter {
    let base = try PretrainedModel(path: trained.material.modelPath)
    var card =
      "Task `\(task)` of the workflow `\(trained.workflow.name)`: \(rank) of "
      + "\(trained.file.adapter.rank) rank columns, its own and its prerequisites'."
    if let pinned = base.pinned {
      card += "\n\nTrained on \(pinned.summary). On weights stored in another format, its answers can differ."
    }
    card +=
      "\n\nIts prompts have this form; without options, a prompt ends with its question:\n\n```\n"
      + (try trained.material.prompts.promptForm(task: task)) + "\n```"
    return PEFTAdapter(
      modules: modules, rank: rank, alpha: alpha, baseModel: base.name, ggufFile: base.ggufFile, card: card)
  }
}
