import ArgumentParser
import TaskGraph
import Workflows

struct GraphCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, mermaid, dot, json }

  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Checks a workflow file and shows its task graph and phases.",
    discussion: """
      Prints the tasks with their levels, rank columns and parents, and the trained, frozen and masked \
      columns of each training phase. Reads only the workflow file: it needs neither the model nor the data. \
      --format json prints the same as one JSON object; mermaid and dot print the graph for a drawing tool.

      EXAMPLE
        contexture graph Examples/iov.yaml
        contexture graph Examples/iov.yaml --set training.frozenRatio=0.5
        contexture graph Examples/iov.yaml --format dot | dot -Tsvg -o iov.svg

      \(ExitStatus.manual)
      """)

  @OptionGroup var source: WorkflowOptions

  @Option(help: "The output format.")
  var format = Format.text

  func run() throws {
    let workflow = try source.read()
    switch format {
    case .text:
      let heading = "\(workflow.name): model \(workflow.model), data \(workflow.dataFolder)"
      try Console.print(heading + "\n" + workflow.phaseSchedule.text())
    case .mermaid: try Console.print(workflow.graph.mermaid(blocks: workflow.rankBlocks))
    case .dot: try Console.print(workflow.graph.dot(blocks: workflow.rankBlocks))
    case .json: try Console.print(workflow.phaseSchedule.json())
    }
  }
}
