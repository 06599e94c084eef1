import Locking
import Tensor
import Testing

/// The same inputs give the same bits: in a repetition, with another worker's operations, and on all workers
/// at once.
struct DeterminismTests {
  static let shape = AttentionShape(heads: 4, keyValueHeads: 2, dimension: 8)

  /// The bytes of everything that a layer writes in its forward and backward passes.
  private static func fingerprint(_ bench: Workbench, _ operations: any TensorOperations) -> [[UInt8]] {
    let type = bench.device.computeType
    let (rows, hidden, n) = (37, 32, 48)
    let x = bench.upload(.random(rows, hidden, seed: 1))
    let weight = bench.upload(.random(1, hidden, seed: 2))
    let (normed, rstd) = (bench.matrix(rows, hidden, as: type), bench.matrix(rows, 1))
    operations.rmsNorm(x, weight: weight, epsilon: 1e-5, into: normed, rstd: rstd)
    let frozen = bench.freeze(.random(2 * n, hidden, seed: 3))
    let (gateUp, act) = (bench.matrix(rows, 2 * n, as: type), bench.matrix(rows, n, as: type))
    operations.project(normed, frozen, into: gateUp, accumulate: false)
    operations.swiGLU(gateUp, into: act)
    let dGateUp = bench.matrix(rows, 2 * n, as: type)
    operations.swiGLUBackward(gateUp: gateUp, dAct: act, into: dGateUp)
    let dNormed = bench.matrix(rows, hidden)
    operations.projectBackward(dGateUp, frozen, into: dNormed, accumulate: false)
    let dx = bench.upload(.random(rows, hidden, seed: 4))
    operations.rmsNormBackward(dy: dNormed, x: x, weight: weight, rstd: rstd, addTo: dx)
    let product = bench.matrix(hidden, 2 * n)
    operations.matmul(
      normed, transposed: true, dGateUp, transposed: false, into: product, accumulate: false)
    let head = [bench.freeze(.random(40, hidden, seed: 5)), bench.freeze(.random(23, hidden, seed: 6))]
    let dHidden = bench.matrix(rows, hidden)
    let loss = operations.crossEntropy(
      normed, head: head, tokens: (0..<Int32(rows)).map { $0 }, scale: 0.5, dx: dHidden)
    return [act, dGateUp, dx, product, dHidden].map(bench.bytes)
      + [withUnsafeBytes(of: loss) { Array($0) }]
  }

  @Test(arguments: ElementType.computed)
  func repetitionGivesTheSameBits(_ type: ElementType) {
    let bench = Workbench(type)
    let first = Self.fingerprint(bench, bench.operations)
    #expect(Self.fingerprint(bench, bench.operations) == first)
    #expect(Self.fingerprint(bench, bench.device.makeOperations(threads: 1)) == first)
    let other = Workbench(type)
    #expect(Self.fingerprint(other, other.operations) == first)
  }

  @Test(arguments: ElementType.computed)
  func attentionGivesTheSameBits(_ type: ElementType) {
    func bytes(_ layer: AttentionBench) -> [[UInt8]] {
      let segments = AttentionBench.sequences([11, 30])
      layer.forward(.random(41, Self.shape.fusedColumns, seed: 1, as: type), segments)
      layer.backward(.random(41, 32, seed: 2, as: type), segments)
      return [layer.out, layer.lse, layer.dFused].map(layer.bench.bytes)
    }
    let layer = AttentionBench(Self.shape, rows: 41, as: type)
    let first = bytes(layer)
    #expect(bytes(layer) == first)
    #expect(bytes(AttentionBench(Self.shape, rows: 41, as: type)) == first)
  }

  @Test(arguments: ElementType.computed)
  func allWorkersAtOnceGiveTheSameBits(_ type: ElementType) {
    let alone = Workbench(type)
    let expected = Self.fingerprint(alone, alone.operations)
    // More workers than processors, so that some share a processor.
    let device = CPUDevice(computeType: type, workers: 5)
    let seen = Locked<[Int: Bool]>([:])
    device.onEachWorker { index in
      let bench = Workbench(sharing: device)
      for _ in 0..<3 {
        let same = Self.fingerprint(bench, bench.operations) == expected
        seen.withLock { $0[index] = same && $0[index] ?? true }
      }
    }
    #expect(seen.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0..<5).map { ($0, true) }))
  }
}
