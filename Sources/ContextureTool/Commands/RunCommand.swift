import ArgumentParser
import Datasets
import Evaluation
import Foundation
import Runs

struct RunCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Answers episodes with a trained workflow, task by task.",
    discussion: """
      Each task reads its parents' predicted answers. Prints each task's answer, its probability, the time \
      it took, and what it read from its parents. FILE holds one episode per line, in the format of the \
      training data; gold answers are optional. '-' reads standard input.

      EXAMPLE
        contexture run runs/iov --episode data/iov/test.jsonl --limit 1

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("A run folder.", valueName: "run")) var folder: String
  @OptionGroup var models: ModelsFolder
  @Option(help: ArgumentHelp("Episodes as JSON lines.", valueName: "file")) var episode: String
  @Option(help: "The maximum number of episodes.") var limit: Int?
  @Option(help: "The output format.") var format = Format.text

  func validate() throws {
    if let limit, limit < 1 {
      throw ValidationError("--limit: \(limit) is not a number of episodes; give 1 or more")
    }
  }

  func run() throws {
    let trained = try TrainedWorkflow(run: folder, models: models.models)
    Console.noteEmulation(trained.model.device.computeType)
    var episodes = try trained.episodes(file: episode)
    if let limit { episodes = Array(episodes.prefix(limit)) }
    let evaluator = trained.evaluator()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    for episode in episodes {
      let answered = try evaluator.run(episode)
      try trained.material.checkUnchanged()
      switch format {
      case .text: try Console.print(inputs(of: episode) + answered.text)
      case .json: try Console.print(String(decoding: try encoder.encode(answered), as: UTF8.self))
      }
    }
  }

  /// The inputs of the tasks, each once.
  private func inputs(of episode: Episode) -> String {
    episode.inputs.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\n" }.joined() + "\n"
  }
}
