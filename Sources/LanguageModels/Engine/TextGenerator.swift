import Tensor

/// Continues a prompt token by token with a key/value cache.
package final class TextGenerator: @unchecked Sendable {
  // Unchecked: not used from two threads at once.
  private let stage: LlamaStage
  private let adapter: DeviceAdapter?
  private let memory: DeviceMemory
  private let stores: [KeyValueStore]
  private let worker: StageWorker
  private let activations: StageActivations
  /// The number of tokens processed so far.
  package private(set) var position = 0
  private let capacity: Int

  /// - Parameter capacity: the maximum number of tokens, including the prompt.
  /// - Precondition: the stage is a whole model and its context has room for `capacity` tokens.
  package init(_ stage: LlamaStage, adapter: DeviceAdapter?, capacity: Int) {
    precondition(
      stage.isFirst && stage.isLast && capacity <= stage.contextLength, "TextGenerator: bad capacity")
    self.stage = stage
    self.adapter = adapter
    self.capacity = capacity
    let shape = stage.configuration.attentionShape
    let rows = shape.keyValueHeads * capacity
    let type = stage.device.computeType
    func plan(_ planner: inout ArenaPlanner) -> [KeyValueStore] {
      stage.layers.map { _ in
        KeyValueStore(
          keys: planner.matrix(rows: rows, columns: shape.dimension, type: type),
          values: planner.matrix(rows: rows, columns: shape.dimension, type: type), capacity: capacity)
      }
    }
    var counter = ArenaPlanner()
    _ = plan(&counter)
    memory = stage.device.allocate(byteCount: counter.byteCount)
    var planner = ArenaPlanner(memory: memory)
    stores = plan(&planner)
    // One thread: several would wait for one another about two hundred times per token, which takes long on a
    // busy machine. For several prompts, use one generator and one thread each.
    worker = StageWorker(stage, rows: capacity, adapter: adapter, backward: false)
    activations = StageActivations(stage, rows: capacity, adapter: adapter, keepsActivations: false)
  }

  /// Processes tokens; returns the logits `[vocabulary]` after the last of them.
  ///
  /// - Precondition: `tokens` is not empty and fits the capacity.
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func feed(_ tokens: [Int32]) throws -> [Float] {
    precondition(!tokens.isEmpty && position + tokens.count <= capacity, "TextGenerator: beyond its capacity")
    let past = position == 0 ? [] : [KeyRange(start: 0, count: position)]
    let batch = PackedBatch(
      tokens: tokens,
      segments: [
        AttentionSegment(row: 0, count: tokens.count, position: position, past: past, keyRow: position)
      ], targets: [])
    let h = activations.hidden.rows(0..<batch.paddedRowCount)
    try stage.embed(tokens, into: h, worker.operations)
    let last = [tokens.count - 1]
    stage.forward(batch, activations, stores: stores, outputRows: last, adapter: adapter, worker)
    position += tokens.count
    return stage.logits(rows: last, hidden: h, worker)
  }

  /// The greedy continuation of `prompt`: at most `maximumTokens`, ending before any of `stops`.
  ///
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func greedy(_ prompt: [Int32], maximumTokens: Int, stops: Set<Int32>) throws -> [Int32] {
    var logits = try feed(prompt)
    var answer: [Int32] = []
    while answer.count < maximumTokens {
      guard let best = logits.indices.max(by: { logits[$0] < logits[$1] }) else { break }
      let token = Int32(best)
      if stops.contains(token) { break }
      answer.append(token)
      if answer.count == maximumTokens || position == capacity { break }
      logits = try feed([token])
    }
    return answer
  }
}
