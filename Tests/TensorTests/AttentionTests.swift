import Tensor
import Testing

/// Compares forward with the float64 reference, and backward with its central differences, for sequences of
/// different lengths in one batch.
struct AttentionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var shape: AttentionShape
    var type: ElementType
    var testDescription: String {
      "\(shape.heads) heads, \(shape.keyValueHeads) of keys, dimension \(shape.dimension), \(type)"
    }

    static let all = ElementType.computed.flatMap { type in
      [(1, 1, 8), (4, 2, 8), (3, 3, 2), (6, 1, 8), (4, 2, 64), (9, 3, 64)].map {
        Case(shape: AttentionShape(heads: $0.0, keyValueHeads: $0.1, dimension: $0.2), type: type)
      }
    }
  }

  static let lengths = [7, 1, 5]
  static let rows = 16

  @Test(arguments: Case.all)
  func forward(_ test: Case) {
    let layer = AttentionBench(test.shape, rows: Self.rows, as: test.type)
    let fused = layer.randomRows(Self.rows, seed: 1)
    let segments = AttentionBench.sequences(Self.lengths)
    let out = layer.forward(fused, segments)
    for segment in segments {
      let range = segment.row..<segment.row + segment.count
      let expected = layer.reference.forward(fused.rows(range))
      expectClose(out.rows(range), expected.out, relative: layer.tolerance, "\(segment)")
      expectClose(layer.logSumExps(segment), expected.lse, relative: layer.tolerance, "\(segment)")
    }
  }

  @Test(arguments: Case.all)
  func backward(_ test: Case) {
    let layer = AttentionBench(test.shape, rows: Self.rows, as: test.type)
    let fused = layer.randomRows(Self.rows, seed: 2)
    let dOut = HostMatrix.random(
      Self.rows, test.shape.heads * test.shape.dimension, seed: 3, as: test.type)
    let segments = AttentionBench.sequences(Self.lengths)
    layer.forward(fused, segments)
    let gradient = layer.backward(dOut, segments)
    for segment in segments {
      let range = segment.row..<segment.row + segment.count
      let d = dOut.rows(range)
      let expected = centralDifferences(at: fused.rows(range)) { d.dot(layer.reference.forward($0).out) }
      expectClose(gradient.rows(range), expected, relative: layer.tolerance, "\(segment)")
    }
  }

  /// Large scores, far apart: the softmax is computed relative to the largest.
  @Test(arguments: ElementType.computed)
  func largeScoresStayFinite(_ type: ElementType) {
    let layer = AttentionBench(
      AttentionShape(heads: 2, keyValueHeads: 1, dimension: 8), rows: 9, as: type)
    let fused = layer.randomRows(9, seed: 4).map { $0 * 16 }
    let segment = AttentionSegment(row: 0, count: 9)
    let out = layer.forward(fused, [segment])
    let expected = layer.reference.forward(fused)
    // The scores reach several hundred; their absolute error becomes the relative error of p.
    expectClose(layer.logSumExps(segment), expected.lse, relative: layer.tolerance)
    #expect(out.values.allSatisfy { $0.isFinite && abs($0) <= 24.0 * (1 + 4 * type.roundoff) })
  }

  /// A sequence that starts later is rotated by the angles of its own positions.
  @Test(arguments: ElementType.computed)
  func positionsChooseTheAngles(_ type: ElementType) {
    let layer = AttentionBench(
      AttentionShape(heads: 2, keyValueHeads: 1, dimension: 8), rows: 6, as: type)
    let fused = layer.randomRows(6, seed: 5)
    let segment = AttentionSegment(row: 0, count: 6, position: 40)
    layer.forward(fused, [segment])
    let keys = layer.bench.download(layer.store.keys)
    for t in 0..<6 {
      for i in 0..<4 {
        let (c, s) = (layer.reference.cosine[40 + t, i], layer.reference.sine[40 + t, i])
        let (low, high) = (fused[t, 16 + i], fused[t, 16 + 4 + i])
        let magnitude = (abs(low) + abs(high)) * (4 * u + type.roundoff)
        #expect(abs(keys[t, i] - (low * c - high * s)) <= magnitude)
        #expect(abs(keys[t, 4 + i] - (high * c + low * s)) <= magnitude)
      }
    }
    #expect(layer.bench.download(layer.store.values) == fused.columns(24..<32), "values are not turned")
  }
}
