import Tensor

/// Everything that an attention layer needs on the device, for a batch of `rows` rows.
struct AttentionBench {
  let bench: Workbench
  let reference: AttentionReference
  let type: ElementType
  let rows: Int
  let cosine: Matrix
  let sine: Matrix
  let queries: Matrix
  let store: KeyValueStore
  let out: Matrix
  let lse: Matrix
  let dFused: Matrix

  var shape: AttentionShape { reference.shape }

  init(
    _ shape: AttentionShape, rows: Int, capacity: Int? = nil, positions: Int = 64, as type: ElementType,
    emulating: Bool = false
  ) {
    bench = Workbench(type, emulating: emulating)
    reference = AttentionReference(shape, positions: positions)
    self.type = type
    self.rows = rows
    cosine = bench.upload(reference.cosine)
    sine = bench.upload(reference.sine)
    queries = bench.matrix(rows * shape.heads, shape.dimension, as: type)
    let capacity = capacity ?? rows
    store = KeyValueStore(
      keys: bench.matrix(shape.keyValueHeads * capacity, shape.dimension, as: type),
      values: bench.matrix(shape.keyValueHeads * capacity, shape.dimension, as: type), capacity: capacity)
    out = bench.matrix(rows, shape.heads * shape.dimension, as: type)
    lse = bench.matrix(1, shape.heads * rows)
    dFused = bench.matrix(rows, shape.fusedColumns, as: type)
  }

  /// Rows of inputs like those from the layer below.
  func randomRows(_ count: Int, seed: UInt64) -> HostMatrix {
    .random(count, shape.fusedColumns, seed: seed, in: -1.5...1.5, as: type)
  }

  /// Runs forward and returns `out`; rows outside of the segments remain NaN.
  @discardableResult
  func forward(_ fused: HostMatrix, _ segments: [AttentionSegment]) -> HostMatrix {
    bench.operations.attention(
      shape, segments: segments, fused: bench.upload(fused, as: type), cosine: cosine, sine: sine,
      queries: queries, store: store, out: out, lse: lse)
    return bench.download(out)
  }

  /// Runs backward and returns `dFused`; rows outside of the segments remain NaN.
  @discardableResult
  func backward(_ dOut: HostMatrix, _ segments: [AttentionSegment]) -> HostMatrix {
    bench.operations.attentionBackward(
      shape, segments: segments, dOut: bench.upload(dOut, as: type), queries: queries, store: store,
      out: out, lse: lse, cosine: cosine, sine: sine, into: dFused)
    return bench.download(dFused)
  }

  /// A segment's log-sum-exps, `[heads, count]`.
  func logSumExps(_ segment: AttentionSegment) -> HostMatrix {
    let first = segment.row * shape.heads
    return bench.download(
      lse.columns(first..<first + segment.count * shape.heads)
        .reshaped(rows: shape.heads, columns: segment.count))
  }

  /// Whole sequences of the given lengths, one after the other.
  static func sequences(_ lengths: [Int]) -> [AttentionSegment] {
    var row = 0
    return lengths.map { length in
      defer { row += length }
      return AttentionSegment(row: row, count: length)
    }
  }

  /// The relative error caused by independent roundings. Queries, keys, probabilities and outputs, and in the
  /// backward pass the gradients of scores, queries and keys, are each stored with one rounding. An error of
  /// a score, which is a sum over one head, changes its probability by as much. Together this is less than 8
  /// roundings. Sums in float32 add about the square root of their number of terms.
  var tolerance: Double { 8 * type.roundoff + 2 * Double(rows * shape.dimension).squareRoot() * u }
}
