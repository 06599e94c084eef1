import Evaluation
import Foundation
import InputErrors
import RunStore
import Runs

/// Records an evaluation in a store. No problem with the store ends the evaluation.
final class EvaluationRecords {
  private var run: RunHandle?

  /// - Parameters:
  ///   - folder: the run folder.
  ///   - trained: what is evaluated.
  ///   - isBase: whether its adapter is left out.
  init(_ trained: TrainedWorkflow, folder: String, isBase: Bool, store: StoreOptions) {
    guard let path = store.path(beside: folder) else { return }
    do {
      var description = RunDescription(
        .evaluate, of: trained.workflow, folder: folder, try RunFolder(folder).readManifest())
      description.folder = nil
      if isBase { description.name += ", base" }
      description.precision = trained.model.device.computeType.rawValue
      run = try RunStore(path).begin(
        description, in: .here(workers: trained.model.device.workerCount), subject: folder
      ) { Self.complain($0) }
    } catch { Self.complain(error) }
  }

  func record(_ report: EvaluationReport, split: String, data: String, isBase: Bool) {
    run?.record(
      EvaluationRecord(
        split: split, data: data, isBase: isBase, episodes: report.episodes, allRight: report.allRight,
        tasks: report.tasks.map {
          .init(
            task: $0.task, gold: ($0.gold.correct, $0.gold.count),
            chained: ($0.chained.correct, $0.chained.count))
        }))
  }

  func finish(_ outcome: RunOutcome) { run?.finish(outcome) }

  private static func complain(_ error: any Error) {
    Console.complain(inOneLine: "warning: \(error) (this evaluation is not recorded there)")
  }
}
