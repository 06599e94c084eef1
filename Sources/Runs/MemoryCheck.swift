import ContextGear
import ContextLoRA
import InputErrors
import LanguageModels
import Tensor
import Workflows

// What does not fit into memory is refused before it is allocated: Linux grants more memory than there is, and later
// kills the process that uses it. The needs are lower bounds, so that nothing that could run is refused.

extension WorkflowMaterial {
  /// The least memory that a training needs for its adapter, in bytes: the columns and those of a checkpoint, in
  /// float32, and the trained columns of the steps whose answers are predicted.
  private var adapterBytes: Double {
    let trained = workflow.phaseSchedule.prefix(workflow.tasks.count).map(\.trainable.count).max() ?? 0
    let staleness = workflow.training.parentAnswers == .gold ? 0 : workflow.training.staleness
    let columns = Double(trained) * Double(staleness) + 2 * Double(workflow.rankBlocks.rank)
    return 4 * columns * modules.reduce(0) { $0 + Double($1.inputs) + Double($1.outputs) }
  }

  /// Checks that the adapter can fit into memory.
  ///
  /// - Parameter memory: the memory of this machine in bytes; `nil` if it is not known.
  /// - Throws: `Refusal` with the fields that decide.
  package func checkAdapter(_ memory: Int? = ProcessMemory.available()) throws(Refusal) {
    guard let memory, adapterBytes > Double(memory) else { return }
    throw Refusal(
      workflow.file,
      "lora.rank, training.staleness: the \(workflow.rankBlocks.rank) rank columns of \(modules.count) modules need "
        + Self.comparison(adapterBytes, memory),
      "lower them, or adapt fewer modules (lora.targets, lora.firstLayer)")
  }

  /// Checks that the weights of some layers can fit into memory.
  ///
  /// - Throws: `Refusal` with the model.
  func checkWeights(
    layers: Range<Int>, type: ElementType, use: PackedUse, memory: Int? = ProcessMemory.available()
  ) throws(Refusal) {
    let needed = sizes(type).weightBytes(layers: layers, use: use)
    guard let memory, needed > Double(memory) else { return }
    let part = layers.count < configuration.layerCount ? "\(layers.count) of its layers" : "its weights"
    throw Refusal(
      modelPath,
      "\(part) need\(use == .forward ? "" : " for training") " + Self.comparison(needed, memory),
      type == .float32 && CPUDevice.weightType(of: .bfloat16) == .bfloat16
        ? "use training.precision bfloat16, a smaller model or a machine with more memory"
        : "use a smaller model or a machine with more memory")
  }

  private func sizes(_ type: ElementType) -> ModelMemory {
    ModelMemory(configuration, type: type, firstAdapted: workflow.lora.firstLayer)
  }

  private static func comparison(_ needed: Double, _ memory: Int) -> String {
    "at least \(mebibytes(needed)) MiB, but this machine has \(memory >> 20) MiB"
  }

  private static func mebibytes(_ bytes: Double) -> Int { Int(min(bytes / 1_048_576, 1e15)) }
}

extension WorkflowMaterial {
  /// Checks that a task's micro-batches can fit into memory beside the weights, with the whole model in this process.
  ///
  /// - Parameters:
  ///   - rows: the tokens of the largest micro-batch.
  ///   - workers: the number of micro-batches computed at once.
  ///   - memory: the memory of this machine in bytes; `nil` if it is not known.
  /// - Throws: `Refusal` with the field that decides, or with the model if its weights alone do not fit.
  package func checkStep(
    task: String, rows: Int, workers: Int, type: ElementType, memory: Int? = ProcessMemory.available()
  ) throws(Refusal) {
    let layers = 0..<configuration.layerCount
    try checkWeights(layers: layers, type: type, use: .forwardAndBackward, memory: memory)
    let needed =
      sizes(type).weightBytes(layers: layers, use: .forwardAndBackward)
      + sizes(type).trainedRowBytes * Double(rows) * Double(workers)
    guard let memory, needed > Double(memory) else { return }
    let field = workflow.training.microBatchField
    throw Refusal(
      workflow.file,
      "training.\(field): micro-batches of \(rows) tokens of task '\(task)'"
        + (workers > 1 ? ", one on each of \(workers) threads," : "") + " need with the model's weights "
        + Self.comparison(needed, memory),
      "lower \(field) or training.batchSize, shorten the longest episodes, or adapt fewer layers "
        + "(lora.firstLayer)")
  }
}

extension RunPreparation {
  /// Checks that the largest micro-batch of each task can fit into memory.
  ///
  /// - Throws: `Refusal` with the field that decides; an error of an episode that cannot be rendered.
  func checkSteps(on device: any ComputeDevice) throws {
    for task in workflow.tasks {
      let rows = workflow.trainingOptions.microBatchRows(
        longest: try examples.longestSequence(task.name), samples: examples.sampleCount)
      try material.checkStep(
        task: task.name, rows: rows, workers: device.workerCount, type: device.computeType)
    }
  }
}

extension WorkflowPlan {
  /// Why this rank's part of the plan does not fit into its machine; `nil` if it does.
  ///
  /// - Parameter memory: the memory of the machine in bytes; `nil` if it is not known.
  package func shortage(rank: Int, file: String, memory: Int? = ProcessMemory.available()) -> Refusal? {
    for phase in phases {
      for use in phase.devices where use.device == rank {
        guard let memory, use.memory > memory else { continue }
        return Refusal(
          file,
          "device '\(use.name)' needs \(use.memory >> 20) MiB for task '\(phase.workload.trained.task)', but its "
            + "machine has \(memory >> 20) MiB",
          "write the memory that the device has into the cluster file, or measure it with cluster profile")
      }
    }
    return nil
  }
}

extension Workflow.Training {
  /// The setting that decides the size of a micro-batch.
  fileprivate var microBatchField: String {
    microBatchSamples == nil ? "microBatchTokens" : "microBatchSamples"
  }
}
