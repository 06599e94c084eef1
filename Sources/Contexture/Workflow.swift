import Foundation
import Workflows

/// A workflow: tasks whose answers feed one another, the model that learns them, and how it is trained.
///
/// Read from a YAML file and checked when it is read; `docs/workflow-file.md` lists the fields.
public struct Workflow: Sendable {
  let definition: Workflows.Workflow

  /// Reads a workflow file.
  ///
  /// - Parameters:
  ///   - path: the YAML file. Paths in it are relative to its folder.
  ///   - settings: values that replace the file's, such as `training.learningRate=5e-4`.
  /// - Throws: `InputError` that names the line and the field.
  public init(contentsOfFile path: String, settings: [String] = []) throws {
    definition = try Workflows.Workflow(contentsOf: path, overrides: settings)
  }

  /// The same for the URL of a file.
  public init(contentsOf url: URL, settings: [String] = []) throws {
    try self.init(contentsOfFile: url.path, settings: settings)
  }

  /// The workflow's name.
  public var name: String { definition.name }
  /// Parents before children.
  public var tasks: [WorkflowTask] { definition.publicTasks }
}

/// A task of a workflow.
public struct WorkflowTask: Sendable, Equatable, Codable {
  /// The task's name.
  public let name: String
  /// The names of the inputs that it reads.
  public let inputs: [String]
  /// The tasks whose answers it reads.
  public let parents: [String]
  /// What it is asked; `nil` if each episode says so.
  public let question: String?
  /// Its options; `nil` if each episode has its own, or none for free text.
  public let options: [String]?
}

extension Workflows.Workflow {
  /// Parents before children.
  var publicTasks: [WorkflowTask] {
    graph.topologicalOrder.compactMap(task).map {
      WorkflowTask(
        name: $0.name, inputs: $0.inputs, parents: $0.parents, question: $0.question, options: $0.options)
    }
  }
}
