import CKernels

#if canImport(Glibc)
  import Glibc
#endif

// The language-model head, computed in chunks of the vocabulary so that the logits of a chunk stay in cache.
extension CPUOperations {
  func logits(_ x: Matrix, head: [any PackedMatrix], into logits: Matrix) {
    var column = 0
    for chunk in head {
      let part = scratch(.logits, rows: x.rows, columns: chunk.outputs, type: .float32)
      project(x, chunk, into: part, accumulate: false)
      copy(part, into: logits.columns(column..<column + chunk.outputs))
      column += chunk.outputs
    }
    precondition(column == logits.columns, "logits: the head has \(column) rows, not \(logits.columns)")
  }

  func tokenScores(_ x: Matrix, head: [any PackedMatrix], tokens: [Int32]) -> [TokenScore] {
    let statistics = HeadStatistics(self, rows: x.rows, chunks: head.count)
    let targets = forward(x, head: head, tokens: tokens, exponentials: nil, statistics)
    return (0..<x.rows).map { row in
      TokenScore(
        logProbability: statistics.logProbability(row, logit: targets[row]),
        isTop: targets[row] >= statistics.runningMax[row])
    }
  }

  func crossEntropy(
    _ x: Matrix, head: [any PackedMatrix], tokens: [Int32], scale: Float, dx: Matrix
  ) -> Double {
    guard x.rows > 0 else { return 0 }
    let vocabulary = head.reduce(0) { $0 + $1.outputs }
    let statistics = HeadStatistics(self, rows: x.rows, chunks: head.count)
    // Contains exp(logit - maximum of the chunk), later the gradient of the logits. The chunks are stored one
    // after another, each of them dense.
    let e = scratch(.exponentials, rows: vocabulary, columns: x.rows, type: x.type)
    let targets = forward(x, head: head, tokens: tokens, exponentials: e, statistics)
    var loss = 0.0
    for row in 0..<x.rows { loss -= Double(statistics.logProbability(row, logit: targets[row])) }
    var column = 0
    let factors = UnsafeMutablePointer<Float>.allocate(capacity: x.rows)
    defer { factors.deallocate() }
    for (index, chunk) in head.enumerated() {
      let part = e.chunk(column..<column + chunk.outputs)
      for row in 0..<x.rows {
        factors[row] = scale * expf(statistics.logProbability(row, logit: statistics.chunkMax(index)[row]))
      }
      switch e.type {
      case .float32: kernels.scale_rows_f32(part.float32, x.rows, chunk.outputs, part.stride, factors)
      case .bfloat16: kernels.scale_rows_bf16(part.bfloat16, x.rows, chunk.outputs, part.stride, factors)
      }
      for row in 0..<x.rows {
        let token = Int(tokens[row]) - column
        guard token >= 0, token < chunk.outputs else { continue }
        // p - 1 is computed from the logits, because the rounded value of a p near 1 would lose the
        // difference.
        let logProbability = statistics.logProbability(row, logit: targets[row])
        part.set(row, token, scale * expm1f(logProbability), kernels)
      }
      projectBackward(part, chunk, into: dx, accumulate: index > 0)
      column += chunk.outputs
    }
    return loss
  }

  /// Runs the chunks forward and returns the logit of each row's label.
  private func forward(
    _ x: Matrix, head: [any PackedMatrix], tokens: [Int32], exponentials: Matrix?,
    _ statistics: HeadStatistics
  ) -> [Float] {
    let vocabulary = head.reduce(0) { $0 + $1.outputs }
    precondition(
      tokens.count == x.rows && tokens.allSatisfy { $0 >= 0 && $0 < vocabulary },
      "cross-entropy: one token of the vocabulary a row")
    var targets = [Float](repeating: .nan, count: x.rows)
    let widest = head.map(\.outputs).max() ?? 0
    let buffer = scratch(.logits, rows: x.rows, columns: widest, type: .float32)
    var column = 0
    for (index, chunk) in head.enumerated() {
      let logits = Matrix(buffer.address, rows: x.rows, columns: chunk.outputs, type: .float32)
      project(x, chunk, into: logits, accumulate: false)
      for row in 0..<x.rows {
        let token = Int(tokens[row]) - column
        if token >= 0, token < chunk.outputs { targets[row] = logits.float32[row * chunk.outputs + token] }
      }
      let part = exponentials?.chunk(column..<column + chunk.outputs)
      switch x.type {
      case .float32:
        kernels.cross_entropy_chunk_f32(
          logits.float32, x.rows, chunk.outputs, part?.float32, part?.stride ?? 0,
          statistics.chunkMax(index), statistics.runningMax, statistics.runningSum)
      case .bfloat16:
        kernels.cross_entropy_chunk_bf16(
          logits.float32, x.rows, chunk.outputs, part?.bfloat16, part?.stride ?? 0,
          statistics.chunkMax(index), statistics.runningMax, statistics.runningSum)
      }
      column += chunk.outputs
    }
    return targets
  }
}

/// For each row: the maximum logit of every chunk, and the running maximum and sum of the whole softmax.
private struct HeadStatistics {
  let memory: Matrix
  let rows: Int

  init(_ operations: CPUOperations, rows: Int, chunks: Int) {
    self.rows = rows
    memory = operations.scratch(.rowStatistics, rows: chunks + 2, columns: max(rows, 1), type: .float32)
    for row in 0..<rows {
      memory.float32[row] = -Float.greatestFiniteMagnitude
      memory.float32[rows + row] = 0
    }
  }

  var runningMax: UnsafeMutablePointer<Float> { memory.float32 }
  var runningSum: UnsafeMutablePointer<Float> { memory.float32 + rows }
  func chunkMax(_ chunk: Int) -> UnsafeMutablePointer<Float> { memory.float32 + (chunk + 2) * rows }
  /// Subtracts the maximum logit first. If the loss is near 0, this keeps digits that would be lost in the
  /// difference of two large numbers, the logit and the log-sum-exp.
  func logProbability(_ row: Int, logit: Float) -> Float {
    (logit - runningMax[row]) - logf(runningSum[row])
  }
}

extension Matrix {
  /// For chunks stored one after another, `[vocabulary, rows]` elements in total: the chunk `[rows, chunk]`
  /// that covers the given vocabulary rows.
  fileprivate func chunk(_ vocabulary: Range<Int>) -> Matrix {
    rows(vocabulary).reshaped(rows: columns, columns: vocabulary.count)
  }

  fileprivate func set(_ row: Int, _ column: Int, _ value: Float, _ kernels: ck_kernel_table) {
    switch type {
    case .float32: float32[row * stride + column] = value
    case .bfloat16:
      var value = value
      kernels.narrow_bf16(&value, 1, 1, bfloat16 + row * stride + column)
    }
  }
}
