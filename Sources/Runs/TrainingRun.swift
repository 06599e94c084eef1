import Checkpoint
import ContextLoRA
import Datasets
import Foundation
import LanguageModels
import Tensor
import Workflows

/// Starts, stops and resumes the training of a workflow in a run folder.
package struct TrainingRun {
  /// An event that a run reports.
  package enum Event: Sendable {
    /// A file of episodes is being read or rendered.
    case preparing(DataPreparation)
    /// Gold answers are longer than generated ones may be.
    case longAnswers(LongAnswersOfFile)
    /// A file that training does not use cannot be read.
    case unreadFile(UnreadFile)
    /// In some prompts of the phase that is done, predicted answers of the task's parents were shortened to fit the
    /// model's context.
    case promptsCut(task: String, count: Int)
    /// The model is in memory; `workers` threads will compute.
    case loaded(
      model: String, precision: ElementType, weightBytes: Int, workers: Int, episodes: Int, seconds: Double)
    /// All ranks of a job can start, and have the same model and data.
    case joined(model: String, precision: ElementType, ranks: Int, episodes: Int, seconds: Double)
    /// A run resumes after `totalSteps` optimiser steps.
    case resumed(totalSteps: Int)
    /// An event of the trainer. `laterSteps` is the number of optimiser steps planned for the phases after
    /// this one.
    case training(TrainingEvent, laterSteps: Int)
    /// The adapter was written.
    case finished(URL)
  }

  private let workflow: Workflow
  private let folder: RunFolder
  private let models: String

  /// - Parameters:
  ///   - out: the run folder.
  ///   - models: the folder of fetched models.
  package init(_ workflow: Workflow, out: String, models: String) {
    self.workflow = workflow
    folder = RunFolder(out)
    self.models = models
  }

  /// Trains to the end, or until `shouldStop` returns `true` after a step.
  ///
  /// - Returns: whether training is done; otherwise the run can be resumed.
  /// - Throws: an error with the problem and the fix. A new run that cannot start leaves nothing behind; a
  ///   run that fails later keeps its last checkpoint.
  package func run(
    resume: Bool, shouldStop: () -> Bool = { false }, onEvent: (Event) throws -> Void
  ) throws -> Bool {
    let start = ContinuousClock.now
    func report(_ progress: DataPreparation) throws {
      if shouldStop() { throw Stopped() }
      try onEvent(.preparing(progress))
    }
    let preparation: RunPreparation
    let admission: RunAdmission
    do {
      preparation = try RunPreparation(workflow, models: models, onProgress: report)
      admission = try folder.admit(preparation, resume: resume)
      for event in try preparation.check(resumes: resume, onProgress: report).events { try onEvent(event) }
    } catch is Stopped { return false }
    let material = preparation.material
    let device = material.device(type: resume ? try folder.computeType() : nil)
    try preparation.checkSteps(on: device)
    let model = try material.model(on: device, use: .forwardAndBackward)
    let recorder = try RunRecorder(
      admission, preparation, precision: device.computeType.rawValue)
    try onEvent(
      .loaded(
        model: material.modelPath, precision: device.computeType, weightBytes: model.stage.weightBytes,
        workers: device.workerCount, episodes: preparation.examples.sampleCount,
        seconds: (ContinuousClock.now - start) / .seconds(1)))
    if let checkpoint = admission.checkpoint {
      try onEvent(.resumed(totalSteps: checkpoint.position.totalSteps))
    }

    let trainer = WorkflowTrainer(
      model, schedule: workflow.phaseSchedule, adapter: material.freshAdapter,
      samples: preparation.examples, answerer: ExampleAnswerer(preparation.examples, model),
      options: workflow.trainingOptions)
    let done = try trainer.run(
      from: admission.checkpoint, to: preparation.destination(folder), shouldStop: shouldStop
    ) { event in
      try onEvent(recorder.record(event))
      if case .phaseFinished(let phase) = event, let count = preparation.examples.takeCutPrompts(phase.task) {
        try onEvent(.promptsCut(task: phase.task, count: count))
      }
    }
    if done { try onEvent(recorder.finish(trainer.adapter)) }
    return done
  }

  /// Training was asked to stop before its first step.
  private struct Stopped: Error {}
}
