import Tensor
import Testing

/// Sequences of one batch do not influence each other: not even a NaN crosses over, and not one bit changes.
struct AttentionIsolationTests {
  static let lengths = [5, 9, 3]
  static let rows = 20
  static let shape = AttentionShape(heads: 4, keyValueHeads: 2, dimension: 8)

  /// The results for one segment: its rows of `out`, `lse` and `dFused`.
  private func result(
    _ fused: HostMatrix, _ dOut: HostMatrix, of segment: AttentionSegment, _ type: ElementType
  ) -> [[UInt8]] {
    let layer = AttentionBench(Self.shape, rows: Self.rows, as: type)
    let segments = AttentionBench.sequences(Self.lengths)
    layer.forward(fused, segments)
    layer.backward(dOut, segments)
    let rows = segment.row..<segment.row + segment.count
    let statistics = segment.row * 4..<(segment.row + segment.count) * 4
    return [
      layer.bench.bytes(layer.out.rows(rows)), layer.bench.bytes(layer.lse.columns(statistics)),
      layer.bench.bytes(layer.dFused.rows(rows)),
    ]
  }

  @Test(arguments: ElementType.computed, [0, 1, 2])
  func othersChangeNothing(_ type: ElementType, _ index: Int) {
    let segment = AttentionBench.sequences(Self.lengths)[index]
    let fused = HostMatrix.random(Self.rows, Self.shape.fusedColumns, seed: 1, as: type)
    let dOut = HostMatrix.random(Self.rows, 32, seed: 2, as: type)
    let alone = result(fused, dOut, of: segment, type)
    let others = (0..<Self.rows).filter { !(segment.row..<segment.row + segment.count).contains($0) }

    // First other tokens, then only NaN, padding rows included.
    let replacements = [
      HostMatrix.random(Self.rows, Self.shape.fusedColumns, seed: 3, as: type),
      HostMatrix(rows: Self.rows, columns: Self.shape.fusedColumns, repeating: .nan),
    ]
    for replacement in replacements {
      var (changed, changedGradient) = (fused, dOut)
      for row in others {
        for column in 0..<fused.columns { changed[row, column] = replacement[row, column] }
        for column in 0..<dOut.columns { changedGradient[row, column] = replacement[row, column] }
      }
      #expect(result(changed, changedGradient, of: segment, type) == alone)
    }
  }

  /// The position of a sequence in the batch, and its surroundings, do not change its result either.
  @Test(arguments: ElementType.computed)
  func aSequenceAloneGivesTheSameBits(_ type: ElementType) {
    let batch = AttentionBench(Self.shape, rows: Self.rows, as: type)
    let fused = batch.randomRows(Self.rows, seed: 4)
    batch.forward(fused, AttentionBench.sequences(Self.lengths))
    let alone = AttentionBench(Self.shape, rows: 9, as: type)
    alone.forward(fused.rows(5..<14), [AttentionSegment(row: 0, count: 9)])
    #expect(batch.bench.bytes(batch.out.rows(5..<14)) == alone.bench.bytes(alone.out))
  }

  /// A later token does not change earlier outputs. A gradient at an earlier token does not change gradients
  /// of later tokens.
  @Test(arguments: ElementType.computed)
  func theFutureIsNotSeen(_ type: ElementType) {
    let layer = AttentionBench(Self.shape, rows: 11, as: type)
    let segments = [AttentionSegment(row: 0, count: 11)]
    var fused = layer.randomRows(11, seed: 5)
    let before = layer.forward(fused, segments).rows(0..<7)
    for column in 0..<fused.columns { fused[7, column] = -fused[7, column] }
    let after = layer.forward(fused, segments)
    #expect(after.rows(0..<7) == before)
    #expect(after.rows(7..<8) != before.rows(6..<7))

    var dOut = HostMatrix(rows: 11, columns: 32)
    for column in 0..<32 { dOut[6, column] = 1 }
    let gradient = layer.backward(dOut, segments)
    #expect(gradient.rows(7..<11) == HostMatrix(rows: 4, columns: Self.shape.fusedColumns))
    #expect(gradient.rows(0..<7).values.contains { $0 != 0 })
  }

  /// Rows beyond the last sequence belong to no sequence.
  @Test(arguments: ElementType.computed)
  func paddingRowsAreLeftAlone(_ type: ElementType) {
    let layer = AttentionBench(Self.shape, rows: Self.rows, as: type)
    let segments = AttentionBench.sequences(Self.lengths)
    layer.forward(layer.randomRows(Self.rows, seed: 6), segments)
    layer.backward(.random(Self.rows, 32, seed: 7, as: type), segments)
    #expect(layer.bench.bytes(layer.out.rows(17..<20)).allSatisfy { $0 == 0xff })
    #expect(layer.bench.bytes(layer.dFused.rows(17..<20)).allSatisfy { $0 == 0xff })
    #expect(layer.bench.bytes(layer.lse.columns(68..<80)).allSatisfy { $0 == 0xff })
  }
}
