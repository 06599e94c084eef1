import CKernels
import Tensor
import Testing

/// Compares every kernel of every instruction set with the base table. The tables share their source; they
/// differ in fused multiply-adds and in the order of sums. Hence float32 results agree within some roundings,
/// and bfloat16 results may be neighbouring numbers.
struct KernelTableTests {
  /// A call of one kernel with a given table; returns the output.
  typealias Call = (ck_kernel_table) -> [Float]

  static let rows = 3
  static let n = 67

  private func floats(_ count: Int, seed: UInt64, _ range: ClosedRange<Double> = -3...3) -> [Float] {
    HostMatrix.random(1, count, seed: seed, in: range).values.map(Float.init)
  }

  private func halves(_ count: Int, seed: UInt64, _ range: ClosedRange<Double> = -3...3) -> [UInt16] {
    HostMatrix.random(1, count, seed: seed, in: range, as: .bfloat16).values
      .map { UInt16(Float($0).bitPattern >> 16) }
  }

  private func widened(_ values: [UInt16]) -> [Float] {
    values.map { Float(bitPattern: UInt32($0) << 16) }
  }

  /// - Parameter tolerance: relative to the largest number written.
  private func compare(
    _ name: String, relative tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation,
    _ call: Call
  ) {
    guard let base = KernelTable.all.first else { preconditionFailure("no base table") }
    let expected = call(base.kernels).map(Double.init)
    let largest = expected.reduce(0) { max($0, abs($1)) }
    #expect(largest > 0 && largest.isFinite, "\(name)", sourceLocation: sourceLocation)
    for table in KernelTable.all.dropFirst() {
      let worst = zip(call(table.kernels), expected).map { abs(Double($0) - $1) }
      #expect(
        worst.allSatisfy { $0 <= tolerance * largest }, "\(name), \(table): \(worst.max() ?? 0)",
        sourceLocation: sourceLocation)
    }
  }

  /// Sums of 67 terms in another order, and a dozen operations.
  private let float = 80 * u
  /// One bfloat16 number apart, plus the errors before rounding.
  private let half = 0x1p-7

  @Test func theTableChosenIsTheBestThisProcessorHas() {
    let chosen = String(cString: ck_kernels().pointee.instruction_set)
    #expect(chosen == KernelTable.all.last?.description)
    #expect(KernelTable.all.allSatisfy { String(cString: $0.kernels.instruction_set) == $0.description })
    #expect(ck_kernels_named("none") == nil)
  }

  @Test func normalisation() {
    let (rows, n) = (Self.rows, Self.n)
    let (x, weight) = (floats(rows * n, seed: 1), floats(n, seed: 2))
    compare("rms_norm_forward_f32", relative: float) {
      var (y, rstd) = ([Float](repeating: 0, count: rows * n), [Float](repeating: 0, count: rows))
      $0.rms_norm_forward_f32(x, weight, 1e-5, rows, n, &y, &rstd)
      return y + rstd
    }
    compare("rms_norm_forward_bf16", relative: half) {
      var (y, rstd) = ([UInt16](repeating: 0, count: rows * n), [Float](repeating: 0, count: rows))
      $0.rms_norm_forward_bf16(x, weight, 1e-5, rows, n, &y, &rstd)
      return widened(y) + rstd
    }
    let (dy, rstd, before) = (floats(rows * n, seed: 3), floats(rows, seed: 4), floats(rows * n, seed: 5))
    compare("rms_norm_backward", relative: float) {
      var dx = before
      $0.rms_norm_backward(dy, x, weight, rstd, rows, n, &dx)
      return dx
    }
  }

  @Test func rotation() {
    let (rows, heads, kv, dim, capacity) = (5, 4, 2, 22, 7)
    let angles = (floats(rows * dim / 2, seed: 1, -1...1), floats(rows * dim / 2, seed: 2, -1...1))
    let count = rows * (heads + 2 * kv) * dim
    let (wide, narrow) = (floats(count, seed: 3), halves(count, seed: 3))
    compare("rope_forward_f32", relative: float) {
      var q = [Float](repeating: 0, count: heads * rows * dim)
      var (k, v) = (
        [Float](repeating: 7, count: kv * capacity * dim), [Float](repeating: 7, count: kv * capacity * dim)
      )
      $0.rope_forward_f32(wide, rows, heads, kv, dim, angles.0, angles.1, 0.25, &q, &k, &v, capacity)
      return q + k + v
    }
    compare("rope_forward_bf16", relative: half) {
      var q = [UInt16](repeating: 0, count: heads * rows * dim)
      var (k, v) = (
        [UInt16](repeating: 0, count: kv * capacity * dim), [UInt16](repeating: 0, count: kv * capacity * dim)
      )
      $0.rope_forward_bf16(narrow, rows, heads, kv, dim, angles.0, angles.1, 0.25, &q, &k, &v, capacity)
      return widened(q) + widened(k) + widened(v)
    }
    let shared = kv * rows * dim
    compare("rope_backward_f32", relative: float) {
      var d = [Float](repeating: 0, count: count)
      $0.rope_backward_f32(
        floats(heads * rows * dim, seed: 4), floats(shared, seed: 5), floats(shared, seed: 6), rows, heads,
        kv, dim, angles.0, angles.1, 0.25, &d)
      return d
    }
    compare("rope_backward_bf16", relative: half) {
      var d = [UInt16](repeating: 0, count: count)
      $0.rope_backward_bf16(
        halves(heads * rows * dim, seed: 4), halves(shared, seed: 5), halves(shared, seed: 6), rows, heads,
        kv, dim, angles.0, angles.1, 0.25, &d)
      return widened(d)
    }
  }

  @Test func softmax() {
    let (groups, queries, keys, ld, offset) = (2, 5, 40, 43, 35)
    let rows = groups * queries
    let (scores, dp) = (floats(rows * ld, seed: 1, -9...9), floats(rows * ld, seed: 2))
    let (lse, delta) = (floats(rows, seed: 3, 8...12), floats(rows, seed: 4))
    compare("softmax_forward_f32", relative: float) {
      var (p, l) = ([Float](repeating: 0, count: rows * ld), [Float](repeating: 0, count: rows))
      $0.softmax_forward_f32(scores, groups, queries, keys, ld, offset, &p, &l)
      return p + l
    }
    compare("softmax_forward_bf16", relative: half) {
      var (p, l) = ([UInt16](repeating: 0, count: rows * ld), [Float](repeating: 0, count: rows))
      $0.softmax_forward_bf16(scores, groups, queries, keys, ld, offset, &p, &l)
      return widened(p)
    }
    compare("softmax_backward_f32", relative: float) {
      var (p, ds) = ([Float](repeating: 0, count: rows * ld), [Float](repeating: 0, count: rows * ld))
      $0.softmax_backward_f32(scores, dp, lse, delta, groups, queries, keys, ld, offset, &p, &ds)
      return p + ds
    }
    compare("softmax_backward_bf16", relative: half) {
      var (p, ds) = ([UInt16](repeating: 0, count: rows * ld), [UInt16](repeating: 0, count: rows * ld))
      $0.softmax_backward_bf16(scores, dp, lse, delta, groups, queries, keys, ld, offset, &p, &ds)
      return widened(p) + widened(ds)
    }
  }

  @Test func attentionDelta() {
    let (rows, heads, dim) = (5, 3, 22)
    let count = rows * heads * dim
    compare("attention_delta_f32", relative: float) {
      var (dense, delta) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: rows * heads))
      $0.attention_delta_f32(
        floats(count, seed: 1), floats(count, seed: 2), rows, heads, dim, &dense, &delta)
      return dense + delta
    }
    // Only the inputs are bfloat16: the sums are float32.
    compare("attention_delta_bf16", relative: float) {
      var (dense, delta) = ([UInt16](repeating: 0, count: count), [Float](repeating: 0, count: rows * heads))
      $0.attention_delta_bf16(
        halves(count, seed: 1), halves(count, seed: 2), rows, heads, dim, &dense, &delta)
      return widened(dense) + delta
    }
  }

  /// Nothing is computed, so the bits are the same.
  @Test func copies() {
    let (rows, heads, dim) = (5, 3, 22)
    let count = rows * heads * dim
    compare("merge_heads_f32", relative: 0) {
      var out = [Float](repeating: 0, count: count)
      $0.merge_heads_f32(floats(count, seed: 1), rows, heads, dim, &out)
      return out
    }
    compare("merge_heads_bf16", relative: 0) {
      var out = [UInt16](repeating: 0, count: count)
      $0.merge_heads_bf16(halves(count, seed: 1), rows, heads, dim, &out)
      return widened(out)
    }
    compare("copy_rows", relative: 0) {
      var out = [Float](repeating: 7, count: 4 * 10)
      $0.copy_rows(floats(4 * 9, seed: 2), 9 * 4, &out, 10 * 4, 4, 7 * 4)
      return out
    }
  }

  @Test func activation() {
    let (rows, n) = (Self.rows, Self.n)
    compare("swiglu_forward_f32", relative: float) {
      var act = [Float](repeating: 0, count: rows * n)
      $0.swiglu_forward_f32(floats(rows * 2 * n, seed: 1), rows, n, &act)
      return act
    }
    compare("swiglu_forward_bf16", relative: half) {
      var act = [UInt16](repeating: 0, count: rows * n)
      $0.swiglu_forward_bf16(halves(rows * 2 * n, seed: 1), rows, n, &act)
      return widened(act)
    }
    compare("swiglu_backward_f32", relative: float) {
      var d = [Float](repeating: 0, count: rows * 2 * n)
      $0.swiglu_backward_f32(floats(rows * 2 * n, seed: 1), floats(rows * n, seed: 2), rows, n, &d)
      return d
    }
    compare("swiglu_backward_bf16", relative: half) {
      var d = [UInt16](repeating: 0, count: rows * 2 * n)
      $0.swiglu_backward_bf16(halves(rows * 2 * n, seed: 1), halves(rows * n, seed: 2), rows, n, &d)
      return widened(d)
    }
  }

  @Test func crossEntropyChunk() {
    let (rows, columns, ld) = (Self.rows, Self.n, Self.n + 6)
    let logits = floats(rows * columns, seed: 1, -9...9)
    let (maxima, sums) = (floats(rows, seed: 2), floats(rows, seed: 3, 1...9))
    compare("cross_entropy_chunk_f32", relative: float) {
      var (e, chunk) = ([Float](repeating: 0, count: rows * ld), [Float](repeating: 0, count: rows))
      var (m, s) = (maxima, sums)
      $0.cross_entropy_chunk_f32(logits, rows, columns, &e, ld, &chunk, &m, &s)
      return e + chunk + m + s
    }
    compare("cross_entropy_chunk_f32 without e", relative: float) {
      var chunk = [Float](repeating: 0, count: rows)
      var (m, s) = (maxima, sums)
      $0.cross_entropy_chunk_f32(logits, rows, columns, nil, 0, &chunk, &m, &s)
      return chunk + m + s
    }
    compare("cross_entropy_chunk_bf16", relative: half) {
      var (e, chunk) = ([UInt16](repeating: 0, count: rows * ld), [Float](repeating: 0, count: rows))
      var (m, s) = (maxima, sums)
      $0.cross_entropy_chunk_bf16(logits, rows, columns, &e, ld, &chunk, &m, &s)
      return widened(e)
    }
    compare("scale_rows_f32", relative: float) {
      var e = floats(rows * ld, seed: 4)
      $0.scale_rows_f32(&e, rows, columns, ld, maxima)
      return e
    }
    compare("scale_rows_bf16", relative: half) {
      var e = halves(rows * ld, seed: 4)
      $0.scale_rows_bf16(&e, rows, columns, ld, maxima)
      return widened(e)
    }
  }

  @Test func optimiser() {
    let n = Self.n
    compare("adamw", relative: float) {
      var (p, m, v) = (floats(n, seed: 1), floats(n, seed: 2), floats(n, seed: 3, 0...2))
      $0.adamw(&p, floats(n, seed: 4), &m, &v, n, 0.01, 0.9, 0.999, 1e-8, 0.1, 0.5, 0.19, 0.002)
      return p + m + v
    }
    compare("add", relative: 0) {
      var y = floats(n, seed: 5)
      $0.add(floats(n, seed: 6), n, &y)
      return y
    }
  }

  /// Exact products, added in an order that the source fixes: the bits are the same everywhere.
  @Test(arguments: KernelTable.all)
  func theNormIsTheSameOnEveryProcessor(_ table: KernelTable) {
    for count in [0, 1, 7, 8, 9, 1003] {
      let x = floats(count, seed: 1)
      guard let base = KernelTable.all.first else { preconditionFailure("no base table") }
      #expect(table.kernels.sum_squares(x, count) == base.kernels.sum_squares(x, count))
    }
  }

  @Test(arguments: KernelTable.all)
  func conversionsTakeAnyLength(_ table: KernelTable) {
    for count in [0, 1, 15, 16, 17, 67] {
      let x = floats(count, seed: 7)
      var (plain, packed) = (
        [Float](repeating: 9, count: count + 1), [UInt16](repeating: 9, count: count + 1)
      )
      table.kernels.narrow_f32(x, count, 0.5, &plain)
      table.kernels.narrow_bf16(x, count, 0.5, &packed)
      #expect(Array(plain.dropLast()) == x.map { $0 * 0.5 })
      #expect(
        widened(packed.dropLast()).map(Double.init)
          == x.map { ElementType.bfloat16.rounded(Double($0) * 0.5) })
      #expect(plain[count] == 9 && packed[count] == 9, "wrote beyond the end")
      var back = [Float](repeating: 9, count: count + 1)
      table.kernels.widen_f32(x, count, &back)
      #expect(Array(back.dropLast()) == x && back[count] == 9)
    }
  }
}
