import ContextGear
import ContextLoRA
import LanguageModels
import Tensor

/// A stage's buffers, allocated when a micro-batch first needs them and then kept, and the columns that
/// passes compute with.
extension StageRunner {
  func takeFlight(_ operation: StageOperation) throws -> Flight {
    let micro = Int(operation.microBatch)
    if let known = flying[micro] { return known }
    let batch = try trainedBatch(operation)
    let rows = max(batch.rowCount, 1)
    let fitting = free.firstIndex { $0.rows >= rows }
    let activations =
      fitting.map { free.remove(at: $0) }
      ?? StageActivations(
        stage, rows: max(rows, pipeline.microBatch * longest[passCount] * 3 / 4),
        adapter: trainer?.view)
    let flight = Flight(batch: batch, activations: activations)
    flying[micro] = flight
    return flight
  }

  func worker(rows: Int) -> StageWorker {
    if let trainWorker, trainWorker.rows >= rows { return trainWorker }
    let made = StageWorker(stage, rows: rows, adapter: trainer?.view, threads: stage.device.workerCount)
    trainWorker = made
    return made
  }

  func memory(pass: Int, rows: Int) -> (worker: StageWorker, activations: StageActivations) {
    if let known = passMemory[pass], known.activations.rows >= rows { return known }
    // Memory depends on the number of columns, not on their values.
    let view = (passViews?.views ?? makeViews(adapter))[pass]
    let made = (
      StageWorker(
        stage, rows: rows, adapter: view, backward: false, threads: stage.device.workerCount),
      StageActivations(stage, rows: rows, adapter: view, keepsActivations: false)
    )
    passMemory[pass] = made
    return made
  }

  func makeViews(_ adapter: LoRAAdapter) -> [DeviceAdapter] {
    work.passes.map {
      DeviceAdapter(
        adapter, columns: .inference($0.columns), configuration: stage.configuration, device: stage.device)
    }
  }

  /// The views that a step predicts with.
  func views(for step: Int) -> [DeviceAdapter] {
    let source = work.refined.isEmpty ? 0 : refined.source(of: step)
    if let passViews, passViews.source == source { return passViews.views }
    var seen = adapter
    refined.scatter(for: step, into: &seen)
    let made = makeViews(seen)
    passViews = (source, made)
    return made
  }

  func recordColumns(before step: Int) {
    guard let trainer, !work.refined.isEmpty else { return }
    refined.record(
      trainer.layout.narrowed(trainer.parameters, from: trainer.view.columns.trainable, to: work.refined),
      before: step)
  }
}
