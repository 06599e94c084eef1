import Tensor
import Testing

/// Sends the same float32 numbers through a bfloat16 device and through a float32 device. Every stored number
/// has one rounding of at most 2⁻⁸, with a mean square of a third of that squared. The roundings of
/// independent numbers add in quadrature, so a relative error of one rounding per stored operand on the way
/// is a safe bound.
struct BFloat16Tests {
  private let roundoff = ElementType.bfloat16.roundoff

  /// Runs `body` on both devices; bfloat16 must give float32's result.
  private func compare(
    roundings: Double, _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Workbench) -> HostMatrix
  ) {
    expectClose(
      body(Workbench(.bfloat16)), body(Workbench(.float32)), relative: roundings * roundoff, what,
      sourceLocation: sourceLocation)
  }

  /// A matrix in the device's compute type, converted by the device.
  private func store(_ host: HostMatrix, _ bench: Workbench) -> Matrix {
    let target = bench.matrix(host.rows, host.columns, as: bench.device.computeType)
    bench.operations.write(host.values.map(Float.init), scale: 1, into: target)
    return target
  }

  @Test func products() {
    let (a, b) = (HostMatrix.random(33, 96, seed: 1), HostMatrix.random(40, 96, seed: 2))
    compare(roundings: 2, "matmul") { bench in
      let c = bench.matrix(33, 40)
      bench.operations.matmul(
        store(a, bench), transposed: false, store(b, bench), transposed: true, into: c, accumulate: false)
      return bench.download(c)
    }
    compare(roundings: 2, "project") { bench in
      let c = bench.matrix(33, 40)
      bench.operations.project(store(a, bench), bench.freeze(b), into: c, accumulate: false)
      return bench.download(c)
    }
  }

  @Test func attention() {
    let shape = AttentionShape(heads: 6, keyValueHeads: 2, dimension: 64)
    let segments = AttentionBench.sequences([30, 11])
    let fused = HostMatrix.random(41, shape.fusedColumns, seed: 3)
    let dOut = HostMatrix.random(41, 384, seed: 4)
    func run(_ type: ElementType) -> (out: HostMatrix, gradient: HostMatrix) {
      let layer = AttentionBench(shape, rows: 41, as: type)
      let out = layer.forward(fused.rounded(as: type), segments)
      return (out, layer.backward(dOut.rounded(as: type), segments))
    }
    let (half, single) = (run(.bfloat16), run(.float32))
    // Inputs, rotated queries and keys, probabilities, output.
    expectClose(half.out, single.out, relative: 5 * roundoff)
    // Also the gradients of the output, of the scores, and of queries and keys before they are rotated back.
    expectClose(half.gradient, single.gradient, relative: 9 * roundoff)
  }

  @Test func head() {
    let (x, w) = (HostMatrix.random(9, 64, seed: 5), HostMatrix.random(50, 64, seed: 6))
    func run(_ type: ElementType) -> (loss: Double, dx: HostMatrix) {
      let bench = Workbench(type)
      let dx = bench.matrix(9, 64)
      let head = [bench.freeze(w.rows(0..<30)), bench.freeze(w.rows(30..<50))]
      let loss = bench.operations.crossEntropy(
        store(x, bench), head: head, tokens: [1, 29, 30, 49, 0, 7, 35, 12, 40], scale: 1, dx: dx)
      return (loss, bench.download(dx))
    }
    let (half, single) = (run(.bfloat16), run(.float32))
    // A logit is a sum of 64 products of size 1/3, each off by two roundings in quadrature: less than
    // 2 sqrt(64) / 3 roundings. Nine rows' losses of independent signs add a factor of three, and their
    // log-sum-exps double that.
    #expect(abs(half.loss - single.loss) <= 2 * 3 * (2 * 8.0 / 3) * roundoff)
    // Stored: x, W, exp(logit) and its multiple; also, the logits' errors become relative errors of p.
    expectClose(half.dx, single.dx, relative: (4 + 2 * 8.0 / 3) * roundoff)
  }
}
