import Tensor
import Testing

/// A sequence computed in pieces, each attending to the pieces before it, equals the sequence computed at
/// once.
struct AttentionPastTests {
  static let shape = AttentionShape(heads: 4, keyValueHeads: 2, dimension: 8)

  /// A prompt followed, in the same batch, by three continuations that each attend to the prompt and to
  /// themselves.
  @Test(arguments: ElementType.computed)
  func continuationsOfOnePrompt(_ type: ElementType) {
    let layer = AttentionBench(Self.shape, rows: 24, as: type)
    let fused = layer.randomRows(24, seed: 1)
    let prompt = KeyRange(start: 2, count: 9)
    let continuations = [(row: 11, count: 4), (row: 15, count: 1), (row: 16, count: 6)]
    var segments = [
      AttentionSegment(row: 0, count: 2),
      AttentionSegment(row: prompt.start, count: prompt.count),
    ]
    segments += continuations.map {
      AttentionSegment(row: $0.row, count: $0.count, position: prompt.count, past: [prompt])
    }
    let out = layer.forward(fused, segments)
    let prefix = fused.rows(2..<11)
    expectClose(out.rows(2..<11), layer.reference.forward(prefix).out, relative: layer.tolerance)
    for (continuation, segment) in zip(continuations, segments.dropFirst(2)) {
      let own = continuation.row..<continuation.row + continuation.count
      let whole = HostMatrix.stacked([prefix, fused.rows(own)])
      let expected = layer.reference.forward(whole)
      let tail = 9..<9 + continuation.count
      expectClose(out.rows(own), expected.out.rows(tail), relative: layer.tolerance)
      expectClose(layer.logSumExps(segment), expected.lse.columns(tail), relative: layer.tolerance)

      let atOnce = AttentionBench(Self.shape, rows: whole.rows, as: type)
      let single = atOnce.forward(whole, [AttentionSegment(row: 0, count: whole.rows)])
      expectClose(out.rows(own), single.rows(tail), relative: layer.tolerance)
    }
  }

  /// A branch of a branch: its past is two runs of rows that are not adjacent, in the order of the sequence.
  @Test(arguments: ElementType.computed)
  func aPastOfSeveralRuns(_ type: ElementType) {
    let layer = AttentionBench(Self.shape, rows: 16, as: type)
    let fused = layer.randomRows(16, seed: 2)
    let (trunk, branch) = (KeyRange(start: 8, count: 5), KeyRange(start: 1, count: 3))
    let out = layer.forward(
      fused,
      [
        AttentionSegment(row: 8, count: 5),
        AttentionSegment(row: 1, count: 3, position: 5, past: [trunk]),
        AttentionSegment(row: 4, count: 4, position: 8, past: [trunk, branch]),
      ])
    let whole = HostMatrix.stacked([fused.rows(8..<13), fused.rows(1..<4), fused.rows(4..<8)])
    let expected = layer.reference.forward(whole).out
    expectClose(out.rows(8..<13), expected.rows(0..<5), relative: layer.tolerance)
    expectClose(out.rows(1..<4), expected.rows(5..<8), relative: layer.tolerance)
    expectClose(out.rows(4..<8), expected.rows(8..<12), relative: layer.tolerance)
  }

  /// A row's gradient sums over all rows that attend to it: a trunk with a branch that has branches of its
  /// own.
  @Test(arguments: ElementType.computed)
  func gradientsOfAPastSumOverAllThatSeeIt(_ type: ElementType) {
    let layer = AttentionBench(Self.shape, rows: 24, as: type)
    let fused = layer.randomRows(24, seed: 5)
    let dOut = HostMatrix.random(24, 32, seed: 6, as: type)
    let (trunk, branch) = (KeyRange(start: 3, count: 5), KeyRange(start: 8, count: 3))
    let segments = [
      AttentionSegment(row: 0, count: 3),
      AttentionSegment(row: 3, count: 5),
      AttentionSegment(row: 8, count: 3, position: 5, past: [trunk]),
      AttentionSegment(row: 11, count: 4, position: 8, past: [trunk, branch]),
      AttentionSegment(row: 15, count: 1, position: 8, past: [trunk, branch]),
      AttentionSegment(row: 16, count: 6, position: 5, past: [trunk]),
    ]
    layer.forward(fused, segments)
    let gradient = layer.backward(dOut, segments)
    let expected = centralDifferences(at: fused.rows(0..<22)) { fused in
      segments.reduce(0.0) { sum, segment in
        let past = segment.past.map { fused.rows($0.start..<$0.start + $0.count) }
        let own = segment.row..<segment.row + segment.count
        let out = layer.reference.forward(.stacked(past + [fused.rows(own)])).out
        return sum + dOut.rows(own).dot(out.rows(segment.position..<segment.position + segment.count))
      }
    }
    expectClose(gradient.rows(0..<22), expected, relative: layer.tolerance)
    #expect(layer.bench.bytes(layer.dFused.rows(22..<24)).allSatisfy { $0 == 0xff }, "nobody's rows")
  }

  /// A key/value cache: tokens arrive in runs or one by one, and the cache outlives the calls.
  @Test(arguments: ElementType.computed)
  func aCacheThatGrows(_ type: ElementType) {
    let layer = AttentionBench(Self.shape, rows: 6, capacity: 20, as: type)
    let fused = layer.randomRows(14, seed: 3)
    let expected = layer.reference.forward(fused).out
    var position = 0
    for count in [6, 1, 1, 3, 1, 2] {
      let segment = AttentionSegment(
        row: 0, count: count, position: position,
        past: position == 0 ? [] : [KeyRange(start: 0, count: position)], keyRow: position)
      let rows = position..<position + count
      var batch = layer.randomRows(6, seed: 4)
      for (row, source) in rows.enumerated() {
        for column in 0..<fused.columns { batch[row, column] = fused[source, column] }
      }
      let out = layer.forward(batch, [segment])
      expectClose(out.rows(0..<count), expected.rows(rows), relative: layer.tolerance)
      position += count
    }
    for matrix in [layer.store.keys, layer.store.values] {
      for head in 0..<2 {
        let unused = layer.bench.bytes(matrix.rows(head * 20 + 14..<head * 20 + 20))
        #expect(unused.allSatisfy { $0 == 0xff }, "rows that no token has reached are untouched")
      }
    }
  }
}
