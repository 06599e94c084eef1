import Checkpoint
import Foundation
import InputErrors
import LanguageModels
import Prompting
import Tensor
import Workflows

/// A workflow with its model's files, before any weights are loaded.
package struct WorkflowMaterial: Sendable {
  package let workflow: Workflow
  /// Renders tasks to tokens.
  package let prompts: PromptRenderer
  /// The path of the model's files.
  package let modelPath: String
  /// Identifies the model.
  package let modelIdentity: String
  private let weights: any WeightSource

  /// Opens the model of a workflow.
  ///
  /// - Parameters:
  ///   - models: the folder of fetched models.
  ///   - modelPath: the model's files; `nil` finds what the workflow names.
  /// - Throws: an error with the file and what is wrong with it.
  package init(_ workflow: Workflow, models: String, modelPath: String? = nil) throws {
    self.workflow = workflow
    self.modelPath = try modelPath ?? ModelLocation(workflow, models: models).path
    let files = try ModelFiles.open(self.modelPath)
    weights = files.weights
    guard workflow.lora.firstLayer < weights.configuration.layerCount else {
      throw Refusal(
        workflow.file,
        "lora.firstLayer: \(workflow.lora.firstLayer) is outside the \(weights.configuration.layerCount) "
          + "layers of " + self.modelPath, "use 0 to \(weights.configuration.layerCount - 1)")
    }
    modelIdentity = try ModelIdentity.of(files.weights)
    let material = try ModelPrompts(files)
    do {
      prompts = try PromptRenderer(
        workflow: workflow, tokenizer: material.tokenizer, template: material.template,
        specialTokens: material.specialTokens, contextLength: weights.configuration.maximumPositions,
        vocabularySize: weights.configuration.vocabularySize)
    } catch let error as PromptError {
      throw ModelTemplateError(model: self.modelPath, error)
    }
  }

  /// Whether `identity`, as recorded in a run, is this model's, in the current or the older version.
  func isModel(_ identity: String) throws -> Bool {
    if identity == modelIdentity { return true }
    return try identity == ModelIdentity.of(weights, version: 1)
  }

  /// Checks that an adapter has the workflow's rank and scale.
  ///
  /// - Parameter file: the adapter's file, for the message.
  /// - Throws: `Refusal` otherwise.
  func check(_ adapter: LoRAAdapter, in file: URL) throws(Refusal) {
    guard adapter.rank == workflow.rankBlocks.rank, adapter.scale == Float(workflow.lora.scale) else {
      throw Refusal(
        file.path, "has an adapter whose rank or scale is not the workflow's",
        "restore it from a copy, or train again into a new folder")
    }
  }

  /// The model's sizes.
  package var configuration: LlamaConfiguration { weights.configuration }

  /// A device with the workflow's number format.
  ///
  /// - Parameters:
  ///   - workers: the number of shards worked on at once; `nil` for the number of processors.
  ///   - type: a number format that overrides the workflow's.
  package func device(workers: Int? = nil, type: ElementType? = nil) -> CPUDevice {
    CPUDevice(computeType: type ?? workflow.training.precision.computeType, workers: workers)
  }

  /// Loads the whole model.
  ///
  /// - Throws: an error with the missing or damaged tensor.
  package func model(on device: any ComputeDevice, use: PackedUse) throws -> LlamaModel {
    try LlamaModel(weights, device: device, use: use, firstAdapted: workflow.lora.firstLayer)
  }

  /// Loads a range of layers.
  ///
  /// - Throws: an error with the missing or damaged tensor.
  package func stage(
    _ layers: Range<Int>, on device: any ComputeDevice, use: PackedUse
  ) throws -> LlamaStage {
    try LlamaStage(
      weights, layers: layers, device: device, use: use, firstAdapted: workflow.lora.firstLayer)
  }

  /// The target modules of the whole model.
  package var modules: [TargetModule] {
    TargetModule.all(
      configuration, layers: workflow.lora.firstLayer..<configuration.layerCount,
      targets: Set(workflow.lora.targets.compactMap { LanguageModels.Projection(rawValue: $0.rawValue) }))
  }

  /// A new adapter for the start of training.
  package var freshAdapter: LoRAAdapter {
    LoRAAdapter(
      modules: modules, rank: workflow.rankBlocks.rank, scale: Float(workflow.lora.scale),
      seed: UInt64(workflow.training.seed))
  }
}

extension ModelLocation {
  /// Finds the model that a workflow names. A path is relative to the workflow file's folder or, if it does
  /// not exist there, to the current folder.
  ///
  /// - Throws: `FileError` if there is no such model.
  init(_ workflow: Workflow, models: String) throws {
    try self.init(workflow.model, models: models, resolved: workflow.resolved(workflow.model))
  }
}

extension Precision {
  /// The number format of weights and activations; `nil` for the processor's fastest.
  package var computeType: ElementType? {
    switch self {
    case .auto: nil
    case .float32: .float32
    case .bfloat16: .bfloat16
    }
  }
}
