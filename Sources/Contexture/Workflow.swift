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
  public init(contentsOf path: String, settings: [String] = []) throws {
    definition = try Workflows.Workflow(contentsOf: path, overrides: settings)
  }

  init(_ definition: Workflows.Workflow) { self.definition = definition }

  /// The workflow's name.
  public var name: String { definition.name }
  /// The names of the tasks, parents before children.
  public var tasks: [String] { definition.graph.topologicalOrder }

  /// The tasks whose answers a task reads, in the order in which it reads them.
  public func parents(of task: String) -> [String] { definition.task(task)?.parents ?? [] }
}
