import Tensor

/// Continues a prompt token by token with a key/value cache.
package final class TextGenerator: @unchecked Sendable {
  // Unchecked: not used from two threads at once.
  private let context: LlamaContext
  private let memory: DeviceMemory
  private let stores: [KeyValueStore]
  /// The number of tokens processed so far.
  package private(set) var position = 0
  private let capacity: Int

  /// - Parameter capacity: the maximum number of tokens, including the prompt.
  /// - Precondition: the model's context has room for `capacity` tokens.
  package init(_ model: LlamaModel, adapter: DeviceAdapter?, capacity: Int) {
    precondition(capacity <= model.contextLength, "TextGenerator: bad capacity")
    self.capacity = capacity
    (memory, stores) = model.stage.allocate(rows: capacity, adapter: adapter, backward: false) { plan in
      model.stage.layers.map { _ in plan.keyValueStore() }
    }
    // One thread: several would wait for one another about two hundred times per token, which takes long on a
    // busy machine. For several prompts, use one generator and one thread each.
    context = LlamaContext(model, adapter: adapter, rows: capacity, backward: false)
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
    let last = [tokens.count - 1]
    let h = try context.forward(batch, stores: stores, outputRows: last)
    position += tokens.count
    return context.model.stage.logits(rows: last, hidden: h, context.worker)
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
