import Checkpoint
import Foundation
import InputErrors
import LanguageModels
import Prompting
import SafeFiles
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
  /// Identifies the model's tokenizer and chat template.
  package let promptIdentity: PromptIdentity
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
    promptIdentity = try PromptIdentity(files)
    let material = try ModelPrompts(files)
    do {
      prompts = try PromptRenderer(
        workflow: workflow, tokenizer: material.tokenizer, template: material.template,
        specialTokens: material.specialTokens, contextLength: weights.configuration.contextLimit,
        vocabularySize: weights.configuration.vocabularySize)
    } catch let error as PromptError {
      throw ModelTemplateError(model: self.modelPath, error)
    }
  }

  /// Whether `identity`, as recorded in a run, is this model's, in the current or an older version.
  func isModel(_ identity: String) throws -> Bool {
    if identity == modelIdentity { return true }
    return try (1..<ModelIdentity.version).contains {
      try identity == ModelIdentity.of(weights, version: $0)
    }
  }

  /// Checks that the model is the one of a run.
  ///
  /// - Throws: `Refusal` with what differs; the errors of the model's files.
  func check(_ manifest: RunFolder.Manifest) throws {
    guard try isModel(manifest.modelIdentity) else {
      throw Refusal(
        modelPath, "is not the model this run was started with (\(manifest.modelPath))",
        "restore that model, or train into a new folder")
    }
    if let difference = promptIdentity.difference(from: manifest.promptIdentity) {
      throw Refusal(
        modelPath, "has \(difference) than when this run was started",
        "restore the model's files, or train into a new folder")
    }
  }

  /// Checks that the model's files have not been written to since they were opened.
  ///
  /// - Throws: `FileError` with the file if one has.
  package func checkUnchanged() throws(FileError) { try weights.checkUnchanged() }

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
  /// - Throws: an error with the missing or damaged tensor, or `Refusal` if memory cannot hold the weights.
  package func model(on device: any ComputeDevice, use: PackedUse) throws -> LlamaModel {
    try checkWeights(layers: 0..<configuration.layerCount, type: device.computeType, use: use)
    return try LlamaModel(weights, device: device, use: use, firstAdapted: workflow.lora.firstLayer)
  }

  /// Loads a range of layers.
  ///
  /// - Throws: an error with the missing or damaged tensor, or `Refusal` if memory cannot hold the weights.
  package func stage(
    _ layers: Range<Int>, on device: any ComputeDevice, use: PackedUse
  ) throws -> LlamaStage {
    try checkWeights(layers: layers, type: device.computeType, use: use)
    return try LlamaStage(
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
  /// Finds the model that a workflow names.
  ///
  /// - Throws: `FileError`, of kind `missing` if there is no such model.
  package init(_ workflow: Workflow, models: String) throws {
    try self.init(workflow.model, models: models, resolved: workflow.modelPath)
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
