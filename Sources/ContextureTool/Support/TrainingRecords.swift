import ContextLoRA
import EventFiles
import Foundation
import InputErrors
import RunStore
import Runs
import SafeFiles
import Tensor
import Workflows

/// Records the events of a training in a store and, if asked, for TensorBoard.
///
/// A place that was asked for and cannot be used is refused before the training begins. Afterwards no problem with them
/// ends the training: it is reported once, and the rest is not recorded there.
final class TrainingRecords {
  private let workflow: Workflow
  private let out: String
  private let resumes: Bool
  private let storePath: String?
  private let eventsFolder: String?
  /// The number of threads and ranks, once the training is ready to begin.
  private var ready: (workers: Int?, ranks: Int)?
  private var isBegun = false
  private var run: RunHandle?
  private var events: EventFileWriter?

  /// - Parameters:
  ///   - out: the run folder.
  ///   - eventsFolder: the folder of TensorBoard's events.
  /// - Throws: `InputError` if one of the places was asked for and cannot be used.
  init(_ workflow: Workflow, out: String, resumes: Bool, store: StoreOptions, eventsFolder: String?) throws {
    (self.workflow, self.out, self.resumes, self.eventsFolder) = (workflow, out, resumes, eventsFolder)
    try store.check()
    if let eventsFolder { try EventFileWriter.check(eventsFolder, resumes: resumes) }
    storePath = store.path(beside: out)
  }

  func record(_ event: TrainingRun.Event) {
    switch event {
    case .preparing, .longAnswers, .unreadFile, .promptsCut: break
    case .loaded(_, _, _, let workers, _, _): ready = (workers, 1)
    case .joined(_, _, let ranks, _, _): ready = (nil, ranks)
    case .resumed(let steps): begin(after: steps)
    case .training(let training, _):
      begin(after: 0)
      record(training)
    case .finished(let adapter):
      begin(after: 0)
      do {
        run?.record(file: adapter.lastPathComponent, checksum: try FileChecksum.sha256(of: adapter))
      } catch {
        Self.complain(error)
      }
    }
  }

  /// Records how the training ended, if it has begun.
  func finish(_ outcome: RunOutcome) {
    if ready != nil { begin(after: 0) }
    run?.finish(outcome)
  }

  private func begin(after steps: Int) {
    guard !isBegun else { return }
    isBegun = true
    if let storePath {
      do {
        run = try RunStore(storePath).begin(
          description(), in: .here(workers: ready?.workers, ranks: ready?.ranks ?? 1),
          resumingAfter: resumes ? steps : nil
        ) { Self.complain($0) }
      } catch { Self.complain(error) }
    }
    if let eventsFolder {
      attempt {
        let writer = try EventFileWriter(folder: eventsFolder, resumingAfter: resumes ? steps : nil)
        if writer.isFirst { try writer.plainText(workflow.canonicalYAML(), tag: "workflow", step: 0) }
        events = writer
      }
    }
  }

  private func description() throws -> RunDescription {
    let manifest = try RunFolder(out).readManifest()
    return RunDescription(.train, of: workflow, folder: out, manifest)
  }

  private func record(_ event: TrainingEvent) {
    switch event {
    case .step(let step):
      // A step that diverged is reported by the error that follows.
      guard step.loss.isFinite, step.gradientNorm.isFinite else { return }
      run?.record(StepMetrics(step))
      attempt { try events?.scalars(step.scalars, step: step.totalStep) }
    case .warning(let warning, let step):
      run?.record(RunWarning(totalStep: step, kind: warning.name, task: warning.task, text: warning.text))
    case .checkpointDue:
      // The run may be resumed from this checkpoint, and then does not take the steps before it again.
      run?.flush()
    case .phaseStarted, .decided, .phaseFinished, .checkpoint: break
    }
  }

  /// Writes events; after a failure, no more.
  private func attempt(_ body: () throws -> Void) {
    do { try body() } catch {
      events = nil
      Console.complain(inOneLine: "warning: \(error) (training continues without TensorBoard's events)")
    }
  }

  private static func complain(_ error: any Error) {
    Console.complain(inOneLine: "warning: \(error) (the rest of this run is not recorded there)")
  }
}

extension StepMetrics {
  init(_ record: StepRecord) {
    self.init(
      phase: record.phase, round: record.round, task: record.task, step: record.step,
      totalStep: record.totalStep,
      loss: record.loss, gradientNorm: record.gradientNorm, learningRate: record.learningRate,
      tokens: record.tokens,
      seconds: record.seconds, validationLoss: record.validation?.score.loss,
      validationAccuracy: record.validation?.score.accuracy)
  }
}

extension StepRecord {
  /// The values that TensorBoard shows, by tag.
  fileprivate var scalars: [(tag: String, value: Double)] {
    var values = [
      ("loss/\(task)", loss), ("gradient_norm/\(task)", gradientNorm),
      ("learning_rate/\(task)", learningRate),
    ]
    if let score = validation?.score {
      values += [("validation/\(task)/loss", score.loss), ("validation/\(task)/accuracy", score.accuracy)]
    }
    return values.map { (tag: $0.0, value: $0.1) }
  }
}

extension RunEnvironment {
  /// This program on this machine.
  static func here(workers: Int?, ranks: Int = 1) -> RunEnvironment {
    RunEnvironment(
      program: Contexture.version, instructionSet: CPUDevice.instructionSet, workers: workers, ranks: ranks)
  }
}

extension RunDescription {
  /// The description of a run with a run folder.
  init(_ kind: RunKind, of workflow: Workflow, folder: String, _ manifest: RunFolder.Manifest) {
    let full = URL(fileURLWithPath: folder).standardizedFileURL
    self.init(kind, name: full.lastPathComponent, folder: folder)
    self.workflow = workflow.name
    yaml = workflow.canonicalYAML()
    settings = workflow.flatSettings
    (model, modelIdentity) = (manifest.modelPath, manifest.modelIdentity)
    (data, dataIdentity) = (manifest.dataPath, manifest.dataIdentity)
    (seed, precision) = (workflow.training.seed, manifest.precision)
  }
}
