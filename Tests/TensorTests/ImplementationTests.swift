import Tensor
import Testing

/// No product of a transformer uses the library's reference loops, which are a thousand times slower. If the
/// processor has AVX2, the library has fast code for every shape.
@Suite(.enabled(if: CPUDevice.instructionSet != "base", "needs AVX2"))
struct ImplementationTests {
  @Test(arguments: ElementType.computed)
  func aTransformerRunsOnFastCode(_ type: ElementType) {
    let bench = Workbench(type)
    let operations = bench.operations
    let (hidden, intermediate, rank) = (576, 1536, 16)
    let shape = AttentionShape(heads: 9, keyValueHeads: 3, dimension: 64)

    // The frozen layers: rows of a shard, of an incomplete shard, and of decoding.
    let sizes = [
      (shape.fusedColumns, hidden), (hidden, hidden), (2 * intermediate, hidden), (hidden, intermediate),
    ]
    for (outputs, inputs) in sizes {
      let weight = bench.freeze(HostMatrix(rows: outputs, columns: inputs, repeating: 0.5))
      let row = bench.matrix(1, inputs, as: type, .columnsOfWider)
      operations.project(row, weight, into: bench.matrix(1, outputs, .columnsOfWider), accumulate: true)
      for rows in [128, 80, 1] {
        let x = bench.matrix(rows, inputs, as: type)
        let dy = bench.matrix(rows, outputs, as: type)
        for accumulate in [false, true] {
          operations.project(x, weight, into: bench.matrix(rows, outputs), accumulate: accumulate)
          operations.projectBackward(dy, weight, into: bench.matrix(rows, inputs), accumulate: accumulate)
        }
        operations.project(x, weight, into: dy, accumulate: false)
      }
    }

    // Low-rank adapters of these layers: three members of 4, 8 or 16 columns, stacked into one matrix.
    for active in [rank / 4, rank / 2, rank] {
      let x = bench.matrix(112, hidden, as: type)
      let a = bench.matrix(3 * active, hidden, as: type)
      let b = bench.matrix(192, active, as: type)
      let low = bench.matrix(112, 3 * active, as: type)
      let y = bench.matrix(112, shape.fusedColumns, as: type)
      let (part, own) = (low.columns(active..<2 * active), y.columns(576..<768))
      operations.matmul(x, transposed: false, a, transposed: true, into: low, accumulate: false)
      operations.matmul(part, transposed: false, b, transposed: true, into: own, accumulate: true)
      operations.matmul(own, transposed: false, b, transposed: false, into: part, accumulate: false)
      operations.matmul(
        part, transposed: true, x, transposed: false, into: bench.matrix(active, hidden), accumulate: false)
      operations.matmul(
        own, transposed: true, part, transposed: false, into: bench.matrix(192, active), accumulate: false)
      operations.matmul(
        low, transposed: false, a, transposed: false, into: bench.matrix(112, hidden), accumulate: true)
    }

    // Attention over ragged sequences, and with a past.
    let layer = AttentionBench(shape, rows: 128, positions: 128, as: type)
    let fused = HostMatrix.random(128, shape.fusedColumns, seed: 1, as: type)
    let sequences = AttentionBench.sequences([61, 40, 3])
    layer.forward(fused, sequences)
    layer.backward(.random(128, hidden, seed: 2, as: type), sequences)
    layer.forward(
      fused,
      [
        AttentionSegment(row: 0, count: 61),
        AttentionSegment(row: 61, count: 7, position: 61, past: [KeyRange(start: 0, count: 61)]),
        AttentionSegment(row: 68, count: 1, position: 61, past: [KeyRange(start: 0, count: 61)]),
      ])

    // The head, in whole chunks and the rest.
    let head = [2048, 1000].map { bench.freeze(HostMatrix(rows: $0, columns: hidden, repeating: 0.01)) }
    let x = bench.upload(HostMatrix(rows: 33, columns: hidden, repeating: 0.5), as: type)
    _ = operations.crossEntropy(
      x, head: head, tokens: Array(repeating: 7, count: 33), scale: 1, dx: bench.matrix(33, hidden))
    operations.logits(x.rows(0..<1), head: head, into: bench.matrix(1, 3048))

    for device in [bench.device, layer.bench.device] {
      let used = device.matmulImplementations
      #expect(!used.isEmpty)
      #expect(used.allSatisfy { !$0.contains("ref") }, "\(used.sorted())")
    }
  }
}
