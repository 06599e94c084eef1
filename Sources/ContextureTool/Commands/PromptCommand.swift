import ArgumentParser
import Datasets
import Foundation
import InputErrors
import Prompting
import Runs
import Workflows

struct PromptCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

  static let configuration = CommandConfiguration(
    commandName: "prompt", abstract: "Shows a task's input and target.",
    discussion: """
      Prints the prompt of a task as training renders it: the instruction, its parents' gold answers, its \
      inputs, the question and the options, in the model's own chat template. After it, between >>> and <<<, \
      is the target: the reply to learn. The model's weights are not loaded.

      EXAMPLE
        contexture prompt Examples/iov.yaml --task decide
        contexture prompt Examples/iov.yaml --task decide --number 5 --format json

      \(ExitStatus.manual)
      """)

  @OptionGroup var source: WorkflowOptions
  @OptionGroup var models: ModelsFolder
  @Option(help: "The task.") var task: String
  @Option(help: "train, valid or test.") var split = DatasetFolder.Split.train
  @Option(
    help: ArgumentHelp("Episodes as JSON lines, instead of the workflow's data.", valueName: "file"))
  var episode: String?
  @Option(help: "The number of the episode in the file, from 1.") var number = 1
  @Option(help: "The output format.") var format = Format.text

  /// The output of `--format json`.
  private struct Report: Encodable {
    let episode, task, prompt, reply: String
    let promptTokens, replyTokens: [Int32]
  }

  func run() throws {
    let workflow = try source.read()
    guard workflow.task(task) != nil else {
      let known = workflow.tasks.map(\.name).joined(separator: ", ")
      throw Refusal(
        "--task", "\(workflow.file) has no task '\(task)'", "give one of: \(known)")
    }
    let path = episode ?? DatasetFolder(path: workflow.dataFolder).file(split)
    let episodes = try EpisodeFile.read(path, schema: workflow.episodeSchema)
    guard number >= 1, episodes.indices.contains(number - 1) else {
      throw Refusal(
        "--number", "\(path) has \(episodes.count) episodes, not \(number)",
        "give a number from 1 to \(episodes.count)")
    }
    let chosen = episodes[number - 1]
    let prompts = try WorkflowMaterial(workflow, models: models.models).prompts
    let answers = chosen.goldAnswers(of: workflow.graph.parents(of: task))
    let example = try prompts.example(task: task, episode: chosen, parentAnswers: answers)
    let text = try prompts.renderedPrompt(task: task, episode: chosen, parentAnswers: answers)
    let reply = prompts.tokenizer.decode(example.completion, skipSpecial: false)
    switch format {
    case .json:
      try Console.printJSON(
        Report(
          episode: chosen.id, task: task, prompt: text, reply: reply, promptTokens: example.prompt,
          replyTokens: example.completion))
    case .text:
      try Console.print(
        "\(chosen.origin.map { "\($0): " } ?? "")episode '\(chosen.id)', task '\(task)': "
          + "\(example.prompt.count) input tokens, \(example.completion.count) target tokens\n\n"
          + "\(text)>>>\(reply)<<<")
    }
  }
}
