import LanguageModels
import Prompting
import Tensor
import Workflows

/// A workflow with its whole model in memory.
package struct LoadedWorkflow: Sendable {
  /// The workflow with its model's files.
  package let material: WorkflowMaterial
  /// The model with its weights packed.
  package let model: LlamaModel

  /// Loads the model of a workflow.
  ///
  /// - Parameters:
  ///   - models: the folder of fetched models.
  ///   - base: the folder that the model's path is relative to.
  ///   - use: whether it will train.
  ///   - type: a number format that overrides the workflow's.
  /// - Throws: an error with the file and what is wrong with it.
  package init(
    _ workflow: Workflow, models: String, base: String?, use: PackedUse, workers: Int? = nil,
    type: ElementType? = nil
  ) throws {
    try self.init(
      WorkflowMaterial(workflow, models: models, base: base), use: use, workers: workers, type: type)
  }

  /// Loads the model of some material.
  ///
  /// - Parameter type: a number format that overrides the workflow's.
  /// - Throws: an error with the missing or damaged tensor.
  package init(
    _ material: WorkflowMaterial, use: PackedUse, workers: Int? = nil, type: ElementType? = nil
  ) throws {
    self.material = material
    model = try material.model(on: material.device(workers: workers, type: type), use: use)
  }

  package var workflow: Workflow { material.workflow }
  /// Renders tasks to tokens.
  package var prompts: PromptRenderer { material.prompts }
  /// The path of the model's files.
  package var modelPath: String { material.modelPath }
  package var modelIdentity: String { material.modelIdentity }
  /// The target modules.
  package var sites: [TargetModule] { material.sites }
}
