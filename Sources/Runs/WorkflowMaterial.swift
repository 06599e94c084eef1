import Checkpoint
import LanguageModels
import Prompting
import Tensor
import Workflows

/// A workflow with its model's files, before any weights are in memory.
public struct WorkflowMaterial: Sendable {
  /// The workflow.
  public let workflow: Workflow
  /// How tasks become tokens.
  public let prompts: PromptRenderer
  /// Where the model's files are.
  public let modelPath: String
  /// Identifies the model.
  public let modelIdentity: String
  private let weights: any WeightSource

  /// Opens the model that a workflow names.
  ///
  /// - Parameters:
  ///   - models: the folder of fetched models.
  ///   - base: the folder that the model's path is relative to.
  /// - Throws: an error that names the file and what is wrong with it.
  public init(_ workflow: Workflow, models: String, base: String?) throws {
    self.workflow = workflow
    modelPath = try ModelLocation(workflow.model, models: models, base: base).path
    let files = try ModelFiles.open(modelPath)
    weights = files.weights
    guard workflow.lora.firstLayer < weights.configuration.layerCount else {
      throw RunError(
        workflow.file,
        "lora.firstLayer: \(workflow.lora.firstLayer) is none of the \(weights.configuration.layerCount) layers of "
          + modelPath, "give one from 0 to \(weights.configuration.layerCount - 1)")
    }
    modelIdentity = try ModelIdentity.of(files.weights)
    let material = try ModelPrompts(files)
    prompts = try PromptRenderer(
      workflow: workflow, tokenizer: material.tokenizer, template: material.template,
      specialTokens: material.specialTokens, contextLength: weights.configuration.maximumPositions)
  }

  /// The model's sizes.
  public var configuration: LlamaConfiguration { weights.configuration }

  /// A device with the number format that the workflow asks for.
  ///
  /// - Parameters:
  ///   - workers: shards worked on at once; `nil` takes the number of processors.
  ///   - type: a number format that goes before the workflow's.
  public func device(workers: Int? = nil, type: ElementType? = nil) -> CPUDevice {
    CPUDevice(computeType: type ?? workflow.training.precision.computeType, workers: workers)
  }

  /// Loads a range of layers, all where it is `nil`.
  ///
  /// - Throws: an error that names the tensor that is missing or damaged.
  public func stage(
    _ layers: Range<Int>? = nil, on device: any ComputeDevice, use: FrozenUse
  ) throws -> LlamaStage {
    try LlamaStage(
      weights, layers: layers, device: device, use: use, firstAdapted: workflow.lora.firstLayer)
  }

  /// The adapted layers of the whole model.
  public var sites: [AdapterSite] {
    AdapterSite.all(
      configuration, layers: workflow.lora.firstLayer..<configuration.layerCount,
      targets: Set(workflow.lora.targets.compactMap { LanguageModels.Projection(rawValue: $0.rawValue) }))
  }

  /// An adapter as training starts with it.
  public var freshAdapter: LoRAAdapter {
    LoRAAdapter(
      sites: sites, rank: workflow.rankBlocks.rank, scale: Float(workflow.lora.scale),
      seed: UInt64(workflow.training.seed))
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
