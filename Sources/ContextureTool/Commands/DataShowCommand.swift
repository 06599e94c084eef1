import ArgumentParser
import Datasets
import Foundation
import InputErrors
import SafeFiles
import Workflows

struct DataShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows episodes with all tasks, inputs, options and gold answers.",
    discussion: """
      For each task, prints the parents' gold answers, the inputs, the question, and the options with a star at the \
      gold answer. Give the workflow file whose data it is, or a data folder. Without a workflow, the inputs come \
      first and the tasks are in alphabetical order; a workflow.yaml in the folder is used.

      To see a prompt as the model reads it, use 'contexture prompt'; to see how far guessing gets, 'contexture \
      data check'.

      EXAMPLE
        contexture data show Examples/iov.yaml --count 2
        contexture data show data/iov --id iov-000017
        contexture data show Examples/iov.yaml --task decide --split test

      \(ExitStatus.manual)
      """)

  @Argument(help: ArgumentHelp("A workflow file or a data folder.", valueName: "workflow.yaml|dir"))
  var source: String

  @Option(help: "Shows only this task.") var task: String?
  @Option(help: "train, valid or test. Default: train; with --id, all of them.")
  var split: DatasetFolder.Split?
  @Option(help: "The number of episodes, from the first.") var count = 3
  @Option(help: ArgumentHelp("Shows only the episode with this identifier.", valueName: "identifier"))
  var id: String?

  func run() throws {
    guard count >= 1 else {
      throw Refusal("--count", "\(count) is not a number of episodes", "use a number from 1")
    }
    let workflow = try workflow()
    let isFolder = try FileKind.of(source) == .folder
    let folder = DatasetFolder(path: isFolder ? source : workflow?.dataFolder ?? source)
    let texts = try episodes(in: folder, workflow?.episodeSchema ?? EpisodeSchema()).map { episode in
      EpisodeText.describe(
        episode, tasks: try tasks(of: episode, workflow),
        inputs: workflow == nil ? episode.inputs.keys.sorted() : [], limit: nil)
    }
    try Console.print(texts.joined(separator: "\n\n"))
  }

  /// The workflow that `source` is, or that the data folder brings; `nil` if there is none.
  private func workflow() throws -> Workflow? {
    guard try FileKind.of(source) == .folder else { return try Workflow(contentsOf: source) }
    let beside = URL(fileURLWithPath: source).appendingPathComponent("workflow.yaml").relativePath
    return try FileKind.of(beside) == nil ? nil : try Workflow(contentsOf: beside)
  }

  private func episodes(in folder: DatasetFolder, _ schema: EpisodeSchema) throws -> [Episode] {
    guard let id else {
      let table = try folder.table(split ?? .train, schema: schema)
      return (0..<min(count, table.count)).map { table[$0] }
    }
    let splits = split.map { [$0] } ?? DatasetFolder.Split.allCases
    for split in splits {
      if let episode = try folder.table(split, schema: schema).first(where: { $0.id == id }) {
        return [episode]
      }
    }
    let files = splits.map(folder.file).joined(separator: ", ")
    throw Refusal(
      "--id \(id)", "there is no such episode in \(files)", "leave --id out to see the first identifiers")
  }

  private func tasks(of episode: Episode, _ workflow: Workflow?) throws -> [DatasetTask] {
    let all: [DatasetTask]
    if let workflow {
      all = workflow.datasetTasks
    } else {
      all = episode.tasks.keys.sorted().map { DatasetTask(name: $0, inputs: []) }
    }
    guard let task else { return all }
    let chosen = all.filter { $0.name == task }
    guard !chosen.isEmpty else {
      throw Refusal(
        "--task \(task)", "there is no such task in \(source)",
        "use one of: \(all.map(\.name).joined(separator: ", "))")
    }
    return chosen
  }
}
