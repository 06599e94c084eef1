import CKernels

// Attention, computed per segment and per key/value head. The query heads that share a key/value head form
// one dense [group * count, dimension] matrix. Every product is therefore an ordinary two-dimensional one,
// and the gradients of keys and values are summed over those heads automatically.
extension CPUOperations {
  func attention(
    _ shape: AttentionShape, segments: [AttentionSegment], fused: Matrix, cosine: Matrix, sine: Matrix,
    queries: Matrix, store: KeyValueStore, out: Matrix, lse: Matrix
  ) {
    for segment in segments {
      let q = segment.queries(in: queries, shape)
      rotate(shape, segment, fused: fused, cosine: cosine, sine: sine, queries: q, store: store)
    }
    // A separate loop, after all keys are stored: a segment may attend to another one of the same batch.
    for segment in segments {
      attend(
        shape, segment, queries: segment.queries(in: queries, shape), store: store, out: out,
        lse: segment.statistics(in: lse, shape))
    }
  }

  private func rotate(
    _ shape: AttentionShape, _ segment: AttentionSegment, fused: Matrix, cosine: Matrix, sine: Matrix,
    queries: Matrix, store: KeyValueStore
  ) {
    let rows = fused.rows(segment.row..<segment.row + segment.count)
    let angles = segment.position..<segment.position + segment.count
    let (cosines, sines) = (cosine.rows(angles).float32, sine.rows(angles).float32)
    let keys = store.keys.rows(segment.keyRow..<store.keys.rows)
    let values = store.values.rows(segment.keyRow..<store.values.rows)
    precondition(
      fused.isDense && fused.columns == shape.fusedColumns
        && segment.keyRow + segment.count <= store.capacity, "attention: shapes differ")
    let scale = 1 / Float(shape.dimension).squareRoot()
    switch fused.type {
    case .float32:
      kernels.rope_forward_f32(
        rows.float32, segment.count, shape.heads, shape.keyValueHeads, shape.dimension, cosines, sines,
        scale, queries.float32, keys.float32, values.float32, store.capacity)
    case .bfloat16:
      kernels.rope_forward_bf16(
        rows.bfloat16, segment.count, shape.heads, shape.keyValueHeads, shape.dimension, cosines, sines,
        scale, queries.bfloat16, keys.bfloat16, values.bfloat16, store.capacity)
    }
  }

  private func attend(
    _ shape: AttentionShape, _ segment: AttentionSegment, queries: Matrix, store: KeyValueStore,
    out: Matrix, lse: Matrix
  ) {
    let groupRows = shape.group * segment.count
    let ranges = (segment.past + [segment.keys]).joined()
    let offset = segment.past.reduce(0) { $0 + $1.count }
    let keyCount = offset + segment.count
    let scores = scratch(.scores, rows: groupRows, columns: keyCount, type: .float32)
    let p = scratch(.probabilities, rows: groupRows, columns: keyCount, type: out.type)
    let attended = scratch(
      .attended, rows: shape.heads * segment.count, columns: shape.dimension, type: out.type)
    for head in 0..<shape.keyValueHeads {
      let group = head * groupRows..<(head + 1) * groupRows
      let keys = gather(store.keys, store, head: head, ranges, count: keyCount, .gatheredKeys)
      let values = gather(store.values, store, head: head, ranges, count: keyCount, .gatheredValues)
      matmul(
        queries.rows(group), transposed: false, keys, transposed: true, into: scores, accumulate: false)
      softmax(
        scores, groups: shape.group, queries: segment.count, keys: keyCount, offset: offset, into: p,
        lse: lse.columns(group))
      matmul(
        p, transposed: false, values, transposed: false, into: attended.rows(group), accumulate: false)
    }
    let target = out.rows(segment.row..<segment.row + segment.count)
    precondition(target.isDense, "attention: gaps between rows")
    switch out.type {
    case .float32:
      kernels.merge_heads_f32(
        attended.float32, segment.count, shape.heads, shape.dimension, target.float32)
    case .bfloat16:
      kernels.merge_heads_bf16(
        attended.bfloat16, segment.count, shape.heads, shape.dimension, target.bfloat16)
    }
  }

  /// The rows of `ranges` as one matrix: a view of a single range, or a copy of several.
  private func gather(
    _ matrix: Matrix, _ store: KeyValueStore, head: Int, _ ranges: [KeyRange], count: Int,
    _ slot: ScratchSlot
  ) -> Matrix {
    if ranges.count == 1 { return store.rows(matrix, head: head, ranges[0]) }
    let gathered = scratch(slot, rows: count, columns: matrix.columns, type: matrix.type)
    var row = 0
    for range in ranges {
      copy(store.rows(matrix, head: head, range), into: gathered.rows(row..<row + range.count))
      row += range.count
    }
    return gathered
  }

  private func softmax(
    _ scores: Matrix, groups: Int, queries: Int, keys: Int, offset: Int, into p: Matrix, lse: Matrix
  ) {
    switch p.type {
    case .float32:
      kernels.softmax_forward_f32(
        scores.float32, groups, queries, keys, scores.stride, offset, p.float32, lse.float32)
    case .bfloat16:
      kernels.softmax_forward_bf16(
        scores.float32, groups, queries, keys, scores.stride, offset, p.bfloat16, lse.float32)
    }
  }

  func attentionBackward(
    _ shape: AttentionShape, segments: [AttentionSegment], dOut: Matrix, queries: Matrix,
    store: KeyValueStore, out: Matrix, lse: Matrix, cosine: Matrix, sine: Matrix, into dFused: Matrix
  ) {
    let shared = SharedKeyGradients(self, shape, segments)
    // Reversed, because a segment comes after those to which it attends.
    for segment in segments.reversed() {
      backward(
        shape, segment, dOut: dOut, queries: segment.queries(in: queries, shape), store: store, out: out,
        lse: segment.statistics(in: lse, shape), cosine: cosine, sine: sine, shared, into: dFused)
    }
  }

  // With P = softmax(S), S = q kᵀ, O = P v and D = rowsum(O ∘ dO): dv = Pᵀ dO, dP = dO vᵀ, dS = P ∘ (dP - D),
  // dq = dS k, dk = dSᵀ q. P is recomputed from S and lse.
  private func backward(
    _ shape: AttentionShape, _ segment: AttentionSegment, dOut: Matrix, queries: Matrix,
    store: KeyValueStore, out: Matrix, lse: Matrix, cosine: Matrix, sine: Matrix,
    _ shared: SharedKeyGradients, into dFused: Matrix
  ) {
    let (count, dimension, type) = (segment.count, shape.dimension, dFused.type)
    let groupRows = shape.group * count
    let rows = segment.row..<segment.row + count
    let ranges = (segment.past + [segment.keys]).joined()
    let offset = segment.past.reduce(0) { $0 + $1.count }
    let keyCount = offset + count
    let dense = scratch(.denseOutputGradient, rows: shape.heads * count, columns: dimension, type: type)
    let delta = scratch(.delta, rows: 1, columns: shape.heads * count, type: .float32)
    let scores = scratch(.scores, rows: groupRows, columns: keyCount, type: .float32)
    let dp = scratch(.scoresGradient, rows: groupRows, columns: keyCount, type: .float32)
    let p = scratch(.probabilities, rows: groupRows, columns: keyCount, type: type)
    let ds = scratch(.probabilitiesGradient, rows: groupRows, columns: keyCount, type: type)
    let dq = scratch(.queriesGradient, rows: shape.heads * count, columns: dimension, type: type)
    let dk = scratch(.keysGradient, rows: shape.keyValueHeads * count, columns: dimension, type: type)
    let dv = scratch(.valuesGradient, rows: shape.keyValueHeads * count, columns: dimension, type: type)
    attentionDelta(shape, count, out: out.rows(rows), dOut: dOut.rows(rows), dense: dense, delta: delta)
    for head in 0..<shape.keyValueHeads {
      let group = head * groupRows..<(head + 1) * groupRows
      let own = head * count..<(head + 1) * count
      let k = gather(store.keys, store, head: head, ranges, count: keyCount, .gatheredKeys)
      let v = gather(store.values, store, head: head, ranges, count: keyCount, .gatheredValues)
      let q = queries.rows(group)
      let dO = dense.rows(group)
      matmul(q, transposed: false, k, transposed: true, into: scores, accumulate: false)
      matmul(dO, transposed: false, v, transposed: true, into: dp, accumulate: false)
      softmaxBackward(
        scores, dp, lse: lse.columns(group), delta: delta.columns(group), groups: shape.group, count: count,
        offset: offset, p: p, ds: ds)
      matmul(ds, transposed: false, k, transposed: false, into: dq.rows(group), accumulate: false)
      var first = 0
      for past in segment.past {
        let seen = first..<first + past.count
        let sum = shared.rows(past, head: head)
        matmul(p.columns(seen), transposed: true, dO, transposed: false, into: sum.values, accumulate: true)
        matmul(ds.columns(seen), transposed: true, q, transposed: false, into: sum.keys, accumulate: true)
        first += past.count
      }
      let (ownP, ownDs) = (p.columns(offset..<keyCount), ds.columns(offset..<keyCount))
      guard shared.holds(segment.keys) else {
        matmul(ownP, transposed: true, dO, transposed: false, into: dv.rows(own), accumulate: false)
        matmul(ownDs, transposed: true, q, transposed: false, into: dk.rows(own), accumulate: false)
        continue
      }
      let sum = shared.rows(segment.keys, head: head)
      matmul(ownP, transposed: true, dO, transposed: false, into: sum.values, accumulate: true)
      matmul(ownDs, transposed: true, q, transposed: false, into: sum.keys, accumulate: true)
      copy(sum.values, into: dv.rows(own))
      copy(sum.keys, into: dk.rows(own))
    }
    let angles = segment.position..<segment.position + count
    let (cosines, sines) = (cosine.rows(angles).float32, sine.rows(angles).float32)
    let target = dFused.rows(rows)
    let scale = 1 / Float(dimension).squareRoot()
    switch type {
    case .float32:
      kernels.rope_backward_f32(
        dq.float32, dk.float32, dv.float32, count, shape.heads, shape.keyValueHeads, dimension, cosines,
        sines, scale, target.float32)
    case .bfloat16:
      kernels.rope_backward_bf16(
        dq.bfloat16, dk.bfloat16, dv.bfloat16, count, shape.heads, shape.keyValueHeads, dimension, cosines,
        sines, scale, target.bfloat16)
    }
  }

  private func attentionDelta(
    _ shape: AttentionShape, _ count: Int, out: Matrix, dOut: Matrix, dense: Matrix, delta: Matrix
  ) {
    precondition(out.isDense && dOut.isDense, "attentionBackward: gaps between rows")
    switch out.type {
    case .float32:
      kernels.attention_delta_f32(
        out.float32, dOut.float32, count, shape.heads, shape.dimension, dense.float32, delta.float32)
    case .bfloat16:
      kernels.attention_delta_bf16(
        out.bfloat16, dOut.bfloat16, count, shape.heads, shape.dimension, dense.bfloat16, delta.float32)
    }
  }

  private func softmaxBackward(
    _ scores: Matrix, _ dp: Matrix, lse: Matrix, delta: Matrix, groups: Int, count: Int, offset: Int,
    p: Matrix, ds: Matrix
  ) {
    switch p.type {
    case .float32:
      kernels.softmax_backward_f32(
        scores.float32, dp.float32, lse.float32, delta.float32, groups, count, scores.columns, scores.stride,
        offset,
        p.float32, ds.float32)
    case .bfloat16:
      kernels.softmax_backward_bf16(
        scores.float32, dp.float32, lse.float32, delta.float32, groups, count, scores.columns, scores.stride,
        offset,
        p.bfloat16, ds.bfloat16)
    }
  }
}

extension [KeyRange] {
  /// The same rows with adjacent ranges merged: one range is read in place, several are copied.
  fileprivate func joined() -> [KeyRange] {
    reduce(into: []) { result, range in
      if let last = result.last, last.start + last.count == range.start {
        result[result.count - 1].count += range.count
      } else {
        result.append(range)
      }
    }
  }
}

/// The gradients of keys and values to which other segments of a batch attend, summed in float32.
private struct SharedKeyGradients {
  private let keys: Matrix
  private let values: Matrix
  /// For each shared segment, by its key row in the store: the first row here and the number of rows per
  /// head.
  private var places: [Int: (first: Int, count: Int)] = [:]

  /// - Precondition: a past consists of whole segments that come before the segment that attends to them.
  init(_ operations: CPUOperations, _ shape: AttentionShape, _ segments: [AttentionSegment]) {
    var before: [Int: Int] = [:]
    var rows = 0
    for segment in segments {
      for past in segment.past where places[past.start] == nil {
        precondition(
          before[past.start] == past.count, "attentionBackward: a past that is no segment before it")
        places[past.start] = (rows, past.count)
        rows += past.count * shape.keyValueHeads
      }
      before[segment.keyRow] = segment.count
    }
    keys = operations.scratch(.sharedKeysGradient, rows: rows, columns: shape.dimension, type: .float32)
    values = operations.scratch(.sharedValuesGradient, rows: rows, columns: shape.dimension, type: .float32)
    operations.zero(keys)
    operations.zero(values)
  }

  func holds(_ range: KeyRange) -> Bool { places[range.start] != nil }

  func rows(_ range: KeyRange, head: Int) -> (keys: Matrix, values: Matrix) {
    guard let place = places[range.start], place.count == range.count else {
      preconditionFailure("attentionBackward: rows that nothing looks at")
    }
    let rows = place.first + head * place.count..<place.first + (head + 1) * place.count
    return (keys.rows(rows), values.rows(rows))
  }
}

extension AttentionSegment {
  /// This segment's queries, `[heads * count, dimension]`, as a view of the batch's queries.
  func queries(in queries: Matrix, _ shape: AttentionShape) -> Matrix {
    let all = queries.reshaped(rows: queries.count / shape.dimension, columns: shape.dimension)
    return all.rows(row * shape.heads..<(row + count) * shape.heads)
  }

  /// This segment's log-sum-exps, `[1, heads * count]`.
  func statistics(in lse: Matrix, _ shape: AttentionShape) -> Matrix {
    lse.columns(row * shape.heads..<(row + count) * shape.heads)
  }
}
