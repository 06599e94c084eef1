import Locking
import Tensor

/// A prompt and the continuations to score.
package struct ScoreRequest: Sendable, Equatable {
  /// Token ids of the prompt, not empty.
  package var prompt: [Int32]
  /// Token ids of each continuation, not empty. A single-token continuation costs nothing beyond the prompt.
  package var continuations: [[Int32]]

  /// - Precondition: the prompt and every continuation are not empty.
  package init(prompt: [Int32], continuations: [[Int32]]) {
    precondition(!prompt.isEmpty && continuations.allSatisfy { !$0.isEmpty }, "ScoreRequest: empty tokens")
    self.prompt = prompt
    self.continuations = continuations
  }

  /// The number of rows: the prompt once, and each continuation without its last token.
  package var rowCount: Int { continuations.reduce(prompt.count) { $0 + $1.count - 1 } }
}

/// Scores continuations of prompts, forward only. A prompt is computed once for all its continuations: they
/// follow it in the same pass, and each attends to the prompt and itself.
///
/// It has no buffers of its own, so any number of threads may score at once.
package struct Scorer: Sendable {
  private let model: LlamaModel

  /// Scores with all layers of `model`.
  package init(_ model: LlamaModel) { self.model = model }

  /// The log-probability of each token, per request and continuation, with `adapter` or, if it is `nil`, the
  /// base model.
  ///
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func score(_ requests: [ScoreRequest], adapter: DeviceAdapter?) throws -> [[[Float]]] {
    try tokenScores(requests, adapter: adapter).map { $0.map { $0.map(\.logProbability) } }
  }

  /// The score of each token, per request and continuation, as in ``score(_:adapter:)``.
  ///
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func tokenScores(_ requests: [ScoreRequest], adapter: DeviceAdapter?) throws -> [[[TokenScore]]] {
    precondition(
      requests.allSatisfy { request in
        request.continuations.allSatisfy { request.prompt.count + $0.count - 1 <= model.contextLength }
      }, "Scorer: a request longer than the context")
    let passes = ScoreRequest.passes(requests)
    let batches = passes.map { pass in PackedBatch(pass.map { requests[$0] }) }
    let rows = batches.map(\.paddedRowCount).max() ?? 0
    // A worker makes buffers when it needs some and none are free.
    let free = Locked<[LlamaContext]>([])
    let scores = try model.device.mapItems(passes.count) { pass, _ in
      let context =
        free.withLock { $0.popLast() }
        ?? LlamaContext(model, adapter: adapter, rows: rows, backward: false)
      defer { free.withLock { $0.append(context) } }
      let requests = passes[pass].map { requests[$0] }
      let batch = batches[pass]
      let h = try context.forward(batch, outputRows: batch.targetRows)
      return ScoreRequest.split(model.stage.tokenScores(batch.targets, hidden: h, context.worker), requests)
    }
    return scores.flatMap(\.self)
  }
}

extension ScoreRequest {
  /// The rows of a pass: as many, or three times those of the prefix that all prompts share, if that is more. A long
  /// prefix, such as that of examples in the prompt, is then computed for several requests at once.
  private static func passRows(prefix: Int) -> Int { max(256, 3 * prefix) }

  /// The requests of each pass, in order, as indices.
  package static func passes(_ requests: [ScoreRequest]) -> [[Int]] {
    var passes: [[Int]] = []
    // Of the last pass: the first prompt without its last token, how much of it all share, and the rows without sharing.
    var (first, prefix, rows): (ArraySlice<Int32>, Int, Int) = ([], 0, 0)
    for (index, request) in requests.enumerated() {
      let prompt = request.prompt.dropLast()
      if let last = passes.last {
        let shared = zip(first.prefix(prefix), prompt).prefix { $0 == $1 }.count
        let saved = PackedBatch.isWorthSharing(shared) ? shared : 0
        if rows + request.rowCount - last.count * saved <= passRows(prefix: saved) {
          passes[passes.count - 1].append(index)
          (prefix, rows) = (shared, rows + request.rowCount)
          continue
        }
      }
      passes.append([index])
      (first, prefix, rows) = (prompt, prompt.count, request.rowCount)
    }
    return passes
  }

  /// Splits the values of a pass's labels by request and continuation.
  ///
  /// - Precondition: there is one value for each token of the continuations.
  package static func split<Value>(_ flat: [Value], _ requests: [ScoreRequest]) -> [[[Value]]] {
    var next = 0
    return requests.map { request in
      request.continuations.map { continuation in
        defer { next += continuation.count }
        return Array(flat[next..<next + continuation.count])
      }
    }
  }
}
