import LanguageModels
import Tensor
import Transport

/// Forward passes over validation questions, through the `D_t` stages of the plan's first pipeline.
///
/// They need no schedule: each stage takes the activations of a pass from the previous stage, in order. While
/// a stage computes one pass, the next stage works on the pass before.
extension StageRunner {
  /// Whether this stage takes part.
  var validates: Bool { position.trains && position.pipelineIndex == 0 }

  /// Scores the continuations of some questions: `[question][continuation][token]`.
  ///
  /// - Parameter view: the columns to compute with, for this stage's layers.
  /// - Returns: the scores on the last stage; `nil` on the others.
  /// - Throws: the errors of the transport and the model's file.
  /// - Precondition: the stage ``validates``, and all such stages call this with the same questions.
  func scores(_ requests: [ScoreRequest], adapter view: DeviceAdapter) throws -> [[[TokenScore]]]? {
    let passes = ScoreRequest.passes(requests).map { $0.map { requests[$0] } }
    let batches = passes.map { PackedBatch($0) }
    let rows = batches.map(\.paddedRowCount).max() ?? 0
    let worker = StageWorker(
      stage, rows: rows, adapter: view, backward: false, threads: stage.device.workerCount)
    let activations = StageActivations(stage, rows: rows, adapter: view, keepsActivations: false)
    let neighbours = position.pipeline.trained
    let tag = StageLink.Control.validation.tag
    var scores: [[[TokenScore]]] = []
    var sends: [Transfer] = []
    for (pass, batch) in zip(passes, batches) {
      let h = activations.hidden.rows(0..<batch.paddedRowCount)
      if stage.isFirst {
        try stage.embed(batch.tokens, into: h, worker.operations)
      } else {
        let buffer = MessageBuffer(count: message.byteCount(rows: batch.rowCount, options: 0))
        try link.transport.receive(into: buffer, from: neighbours[position.index - 1].device, tag: tag)
          .wait(timeout: link.timeout)
        message.decode(buffer, options: 0, batch: batch, into: h, worker.operations)
      }
      stage.forward(batch, activations, outputRows: batch.targetRows, adapter: view, worker)
      if stage.isLast {
        scores += ScoreRequest.split(stage.tokenScores(batch.targets, hidden: h, worker), pass)
      } else {
        let buffer = message.encode(h, rows: batch.rowCount, options: [], worker.operations)
        sends.append(link.transport.send(buffer, to: neighbours[position.index + 1].device, tag: tag))
      }
    }
    for send in sends { try send.wait(timeout: link.timeout) }
    return stage.isLast ? scores : nil
  }
}
