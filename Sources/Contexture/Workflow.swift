import Foundation
import Workflows

/// A workflow: tasks that read each other's answers, the model to fine-tune, and the training settings.
///
/// It is read from a YAML file and validated on reading; `docs/workflow-file.md` lists the fields.
public struct Workflow: Sendable {
  let definition: Workflows.Workflow

  /// Reads a workflow file.
  ///
  /// - Parameters:
  ///   - path: the YAML file. Paths in it are relative to its folder.
  ///   - settings: overrides of the file's values, such as `training.learningRate=5e-4`.
  /// - Throws: `InputError`, with the line, the field and the fix.
  public init(contentsOfFile path: String, settings: [String] = []) throws {
    definition = try Workflows.Workflow(contentsOf: path, overrides: settings)
  }

  /// Reads a workflow file given by its file URL, as ``init(contentsOfFile:settings:)``.
  public init(contentsOf url: URL, settings: [String] = []) throws {
    try self.init(contentsOfFile: url.path, settings: settings)
  }

  /// The workflow's name.
  public var name: String { definition.name }
  /// The tasks, parents before children.
  public var tasks: [WorkflowTask] { definition.publicTasks }
}

/// A task of a workflow.
public struct WorkflowTask: Sendable, Equatable, Codable {
  /// The task's name.
  public let name: String
  /// The names of the inputs that it reads.
  public let inputs: [String]
  /// The names of the tasks whose answers it reads.
  public let parents: [String]
  /// The question; `nil` if each episode must have its own.
  public let question: String?
  /// The options; `nil` if each episode has its own, or none for free text.
  public let options: [String]?
}

extension Workflows.Workflow {
  /// The tasks, parents before children.
  var publicTasks: [WorkflowTask] {
    graph.topologicalOrder.compactMap(task).map {
      WorkflowTask(
        name: $0.name, inputs: $0.inputs, parents: $0.parents, question: $0.question, options: $0.options)
    }
  }
}
