import Experiments
import Foundation
import InputErrors
import RunStore
import Workflows

/// Records an experiment in a store. No problem with the store ends the experiment.
final class ExperimentRecords {
  private var run: RunHandle?
  /// The measurements that are needed, by the checksums of their keys.
  private var measurements: [String: MeasurementRecord] = [:]

  /// - Parameters:
  ///   - plan: the measurements, in the order in which they are made.
  ///   - results: the folder of results; those that are there are known.
  ///   - storePath: `nil` for no store.
  init(_ plan: ExperimentPlan, settings: [RunDescription.Setting], results: CellStore, storePath: String?)
    throws
  {
    guard let storePath else { return }
    let planned = try plan.measurements().map { planned in
      var record = planned.record
      if let known = try plan.known(planned.cell, in: results) {
        // The measurement of another machine has another key.
        record.checksum = CellStore.checksum(known.key)
        record.fill(.known, known)
      }
      return record
    }
    for record in planned { measurements[record.checksum] = record }
    do {
      run = try RunStore(storePath).begin(
        plan.description(folder: results.path, settings), in: .here(workers: plan.workers),
        resumingAfter: .max,
        measurements: planned
      ) { Self.complain($0) }
    } catch { Self.complain(error) }
  }

  /// Records a result that this experiment measured, or that another one has written meanwhile.
  func record(_ result: CellResult, isMeasured: Bool) {
    let checksum = CellStore.checksum(result.key)
    guard var record = measurements[checksum], isMeasured || record.state == .missing else { return }
    record.fill(isMeasured ? .measured : .known, result)
    measurements[checksum] = record
    run?.record(record)
  }

  func finish(_ outcome: RunOutcome) { run?.finish(outcome) }

  private static func complain(_ error: any Error) {
    Console.complain(inOneLine: "warning: \(error) (the rest of this experiment is not recorded there)")
  }
}

/// Everything that a command measures, checked.
struct ExperimentPlan {
  /// The measurements of an experiment on a workflow.
  struct Part {
    let experiment: Experiment
    let workflow: Workflow
    let cells: [CellRunner.Prepared]
  }

  /// Whether results of other machines count.
  var isFromAnyMachine = false
  var parts: [Part] = []
  /// The number of threads that compute; `nil` without measurements.
  var workers: Int? { parts.lazy.compactMap(\.cells.first).first?.workers }

  /// The result of a measurement that counts, if there is one.
  ///
  /// - Throws: `FileError` if it cannot be read; `Refusal` if it is not a result.
  func known(_ cell: CellRunner.Prepared, in results: CellStore) throws -> CellResult? {
    try results.result(among: isFromAnyMachine ? cell.keys : [cell.key], tasks: cell.tasks).map(cell.labelled)
  }

  /// Each measurement once.
  func measurements() -> [(cell: CellRunner.Prepared, record: MeasurementRecord)] {
    let names = benchmarkNames()
    var found: [(cell: CellRunner.Prepared, record: MeasurementRecord)] = []
    var places: [String: Int] = [:]
    for part in parts {
      for cell in part.cells {
        if let place = places[cell.key] {
          if !found[place].record.experiments.contains(part.experiment.name) {
            found[place].record.experiments.append(part.experiment.name)
          }
          continue
        }
        places[cell.key] = found.count
        found.append(
          (
            cell,
            MeasurementRecord(
              checksum: CellStore.checksum(cell.key), experiments: [part.experiment.name],
              benchmark: names[part.workflow.file] ?? cell.benchmark, method: cell.method, seed: cell.seed)
          ))
      }
    }
    return found
  }

  /// The benchmarks' names by workflow file; with the file where several files have one name.
  private func benchmarkNames() -> [String: String] {
    let files = Dictionary(parts.map { ($0.workflow.file, $0.workflow.name) }) { first, _ in first }
    return files.reduce(into: [:]) { names, entry in
      let isAlone = files.values.count { $0 == entry.value } == 1
      names[entry.key] = isAlone ? entry.value : "\(entry.value) (\(entry.key))"
    }
  }

  func description(folder: String, _ settings: [RunDescription.Setting]) -> RunDescription {
    func full(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
    func only<Value: Hashable>(_ values: [Value]) -> Value? { Set(values).count == 1 ? values.first : nil }
    var names: [String] = []
    var files: [String] = []
    var workflows: [Workflow] = []
    for part in parts {
      if !names.contains(part.experiment.name) { names.append(part.experiment.name) }
      if !files.contains(part.workflow.file) {
        files.append(part.workflow.file)
        workflows.append(part.workflow)
      }
    }
    let all = names.count == Experiment.all.count
    var run = RunDescription(
      .experiment, name: all ? "all" : names.joined(separator: ", "), folder: folder)
    let cells = parts.flatMap(\.cells)
    run.workflow = workflows.map(\.name).joined(separator: ", ")
    run.yaml = workflows.map { $0.canonicalYAML() }.joined(separator: "---\n")
    run.settings =
      [
        .init("experiments", names.joined(separator: ", ")),
        .init("workflows", files.joined(separator: ", ")),
      ]
      + settings
    run.model = only(cells.map(\.model.path)).map(full)
    run.modelIdentity = only(cells.map(\.model.identity))
    run.data = only(cells.map(\.dataFolder)).map(full)
    run.precision = only(cells.map(\.precision))
    run.seed = only(cells.map(\.seed))
    return run
  }
}

extension MeasurementRecord {
  /// Takes the numbers of a result; without times if it was known.
  fileprivate mutating func fill(_ state: State, _ result: CellResult) {
    self.state = state
    values = [
      Value("allRight", result.allRightShare), Value("compositionGap", result.compositionGap),
      Value("episodes", Double(result.episodes)), Value("parameters", Double(result.parameters)),
      Value("steps", Double(result.steps)), Value("tokens", Double(result.tokens)),
    ]
    if let forgetting = result.forgetting { values.append(Value("forgetting", forgetting)) }
    if let tokens = result.tokensToNinety { values.append(Value("tokensToNinety", Double(tokens))) }
    if state == .measured {
      values += [Value("seconds", result.seconds), Value("evaluationSeconds", result.evaluationSeconds)]
    }
    for task in result.tasks {
      values += [
        Value(task: task.task, "gold", result.share(task.gold)),
        Value(task: task.task, "chained", result.share(task.chained)),
      ]
      if let share = task.rightAfter { values.append(Value(task: task.task, "rightAfter", share)) }
    }
  }
}
