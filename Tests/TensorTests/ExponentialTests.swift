import CKernels
import Foundation
import Testing

/// The kernels' exp, tested through `p = exp(score - lse)` with lse 0 and every key visible.
struct ExponentialTests {
  private func exponentials(_ x: [Float], _ table: KernelTable) -> [Float] {
    let zeros = [Float](repeating: 0, count: x.count)
    var (p, ds) = (zeros, zeros)
    table.kernels.softmax_backward_f32(
      x, zeros, zeros, zeros, 1, 1, x.count, x.count, x.count, &p, &ds)
    return p
  }

  /// 3e-7 is the documented error of the polynomial: about 5 float32 roundings.
  @Test(arguments: KernelTable.all)
  func relativeErrorOverItsRange(_ table: KernelTable) {
    let count = 400_003
    let x = (0..<count).map { Float(-87.3 + 175.3 * Double($0) / Double(count - 1)) }
    let worst = zip(x, exponentials(x, table)).map { input, output in
      let expected = exp(Double(input))
      return abs(Double(output) - expected) / expected
    }
    #expect(worst.allSatisfy { $0 < 3e-7 }, "\(worst.max() ?? 0)")
  }

  /// Around 0, where a softmax's largest terms are.
  @Test(arguments: KernelTable.all)
  func closeToOne(_ table: KernelTable) {
    let x = (0..<100_000).map { Float(-Double($0) * 1e-5) }
    let y = exponentials(x, table)
    #expect(y[0] == 1)
    #expect(zip(x, y).allSatisfy { abs(Double($1) - exp(Double($0))) <= 2e-7 * exp(Double($0)) })
  }

  @Test(arguments: KernelTable.all)
  func beyondItsRange(_ table: KernelTable) {
    let x: [Float] = [
      -87.4, -100, -1e30, -.greatestFiniteMagnitude, -.infinity, 88.5, 1e4, .infinity, .nan, 0, -0.0,
      .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
    ]
    let y = exponentials(x, table)
    #expect(y[0..<5].allSatisfy { $0 == 0 })
    #expect(y[5..<8].allSatisfy { $0.isFinite && $0 > 1.6e38 }, "saturates rather than overflows")
    #expect(y[8].isNaN)
    #expect(y[9...].allSatisfy { $0 == 1 })
  }
}
