import ContextGear
import InputErrors

extension WorkflowPlan {
  /// Checks that a plan was made for this run and can be executed.
  ///
  /// - Throws: `Refusal` otherwise.
  func check(_ preparation: RunPreparation, ranks: Int) throws(Refusal) {
    let workflow = preparation.workflow
    func refuse(_ problem: String, _ remedy: String) -> Refusal { Refusal(workflow.file, problem, remedy) }
    guard identity == preparation.workflowIdentity else {
      throw refuse(
        "the plan was made for another workflow, or with other settings",
        "make it again with this workflow and these settings")
    }
    guard cluster.devices.count == ranks else {
      throw refuse(
        "the plan has \(cluster.devices.count) devices, but the job has \(ranks) ranks",
        "start one rank for each device")
    }
    let configuration = preparation.material.configuration
    guard shape.layers == configuration.layerCount, shape.hidden == configuration.hiddenSize else {
      throw refuse(
        "the plan was made for a model of \(shape.layers) layers with \(shape.hidden) values per token, but "
          + "this one has \(configuration.layerCount) with \(configuration.hiddenSize)",
        "make it again with the sizes of this model")
    }
    guard shape.heads == configuration.headCount, shape.keyValueHeads == configuration.keyValueHeadCount,
      shape.headDimension == configuration.headDimension,
      shape.feedForward == configuration.intermediateSize, shape.vocabulary == configuration.vocabularySize,
      shape.rank == workflow.rankBlocks.rank, shape.firstAdapted == workflow.lora.firstLayer
    else {
      throw refuse(
        "the plan was made for a model of other sizes, or for another adapter",
        "make it again with the sizes of this model")
    }
    for task in workflow.tasks {
      guard let plan = phases.first(where: { $0.workload.trained.task == task.name })?.plan else {
        throw refuse("the plan has no task '\(task.name)'", "make it again")
      }
      let answers =
        workflow.training.parentAnswers != .gold && !workflow.forwardOnlyPasses(of: task.name).isEmpty
      guard
        plan.fits(
          layers: shape.layers, samples: workflow.training.batchSize, devices: ranks, answers: answers)
      else {
        throw refuse(
          "the plan of task '\(task.name)' does not assign each layer and each sample to one device",
          "make it again")
      }
    }
  }
}

extension Plan {
  /// Whether the devices and the samples of a step are split among the pipelines, and each pipeline is valid.
  fileprivate func fits(layers: Int, samples: Int, devices: Int, answers: Bool) -> Bool {
    let used = pipelines.flatMap { $0.trained + $0.forward }.map(\.device)
    return !pipelines.isEmpty && Set(used).count == used.count && used.allSatisfy { 0..<devices ~= $0 }
      && pipelines.allSatisfy {
        (1...samples).contains($0.samples) && $0.fits(layers: layers, answers: answers)
      }
      && pipelines.reduce(0) { $0 + $1.samples } == samples
  }
}

extension Plan.Pipeline {
  /// Whether each group has every layer once, and micro-batches split its samples.
  fileprivate func fits(layers: Int, answers: Bool) -> Bool {
    for group in [trained, forward] where !group.isEmpty {
      guard group.allSatisfy({ $0.first < $0.end }), group.first?.first == 0, group.last?.end == layers,
        zip(group, group.dropFirst()).allSatisfy({ $0.end == $1.first })
      else { return false }
    }
    return !trained.isEmpty && microBatch > 0 && samples % microBatch == 0
      && 0...count ~= shared && (!answers || !forward.isEmpty || shared == count)
  }
}
