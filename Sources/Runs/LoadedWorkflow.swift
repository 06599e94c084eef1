import Checkpoint
import ContextLoRA
import Datasets
import Evaluation
import LanguageModels
import Prompting
import Tensor
import Workflows

/// A workflow with its model in memory.
public struct LoadedWorkflow: Sendable {
  /// The workflow.
  public let workflow: Workflow
  /// The model.
  public let stage: LlamaStage
  /// How tasks become tokens.
  public let prompts: PromptRenderer
  /// Where the model's files are.
  public let modelPath: String
  /// Identifies the model.
  public let modelIdentity: String

  /// Loads the model that a workflow names.
  ///
  /// - Parameters:
  ///   - models: the folder of fetched models.
  ///   - base: the folder that the model's path is relative to.
  ///   - use: whether it will train.
  /// - Throws: an error that names the file and what is wrong with it.
  public init(
    _ workflow: Workflow, models: String, base: String?, use: FrozenUse, workers: Int? = nil
  ) throws {
    self.workflow = workflow
    modelPath = try ModelLocation(workflow.model, models: models, base: base).path
    let files = try ModelFiles.open(modelPath)
    let device = CPUDevice(computeType: workflow.training.precision.computeType, workers: workers)
    stage = try LlamaStage(files.weights, device: device, use: use)
    modelIdentity = try ModelIdentity.of(files.weights)
    let material = try ModelPrompts(files)
    prompts = try PromptRenderer(
      workflow: workflow, tokenizer: material.tokenizer, template: material.template,
      specialTokens: material.specialTokens, contextLength: stage.contextLength)
  }

  /// The adapted layers.
  public var sites: [AdapterSite] {
    AdapterSite.all(
      stage.configuration, layers: stage.layers,
      targets: Set(workflow.lora.targets.compactMap { LanguageModels.Projection(rawValue: $0.rawValue) }))
  }

  /// The inputs that each task names.
  static func inputs(_ workflow: Workflow) -> [String: [String]] {
    Dictionary(workflow.tasks.map { ($0.name, $0.inputs) }, uniquingKeysWith: { $1 })
  }
}

extension Precision {
  /// What weights and activations are stored in; `nil` for the processor's fastest.
  public var computeType: ElementType? {
    switch self {
    case .auto: nil
    case .float32: .float32
    case .bfloat16: .bfloat16
    }
  }
}
