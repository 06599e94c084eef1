import Tensor
import Testing

/// Compares emulated bfloat16 with bfloat16 multiplied by the processor. ``MatmulTests`` and ``ProjectTests``
/// compare both with the exact product; here they are compared with each other.
@Suite(.enabled(if: CPUDevice.multipliesBFloat16, "needs a processor that multiplies bfloat16"))
struct EmulationTests {
  /// A product on a device of either kind.
  private typealias Product = (Workbench) -> HostMatrix

  private func both(_ product: Product) -> (emulated: HostMatrix, native: HostMatrix) {
    let (emulated, native) = (Workbench(.bfloat16, emulating: true), Workbench(.bfloat16))
    #expect(emulated.device.emulatesBFloat16 && !native.device.emulatesBFloat16)
    let results = (emulated: product(emulated), native: product(native))
    #expect(emulated.device.matmulImplementations.allSatisfy { !$0.contains("bf16") && !$0.contains("amx") })
    return results
  }

  /// Small whole numbers: every sum is exact in float32, whatever its order.
  private func whole(_ rows: Int, _ columns: Int, seed: UInt64) -> HostMatrix {
    HostMatrix.random(rows, columns, seed: seed, in: -9...9).map { $0.rounded() }
  }

  private static let transpositions = [(false, false), (false, true), (true, false), (true, true)]

  /// Only the rounding of the result can differ, ties included.
  @Test(arguments: [ElementType.float32, .bfloat16], [false, true])
  func productsWithoutRoundingInTheSumAreTheSameBits(_ destination: ElementType, accumulate: Bool) {
    let (m, n, k) = (37, 29, 67)
    let before = whole(m, n, seed: 3)
    for (transposedA, transposedB) in Self.transpositions {
      let (a, b) = (whole(m, k, seed: 1), whole(k, n, seed: 2))
      let (emulated, native) = both { bench in
        let c = bench.upload(before, as: destination, .columnsOfWider)
        bench.operations.matmul(
          bench.upload(transposedA ? a.transposed : a, as: .bfloat16, .columnsOfWider),
          transposed: transposedA, bench.upload(transposedB ? b.transposed : b, as: .bfloat16),
          transposed: transposedB, into: c, accumulate: accumulate)
        #expect(bench.surroundingsAreUntouched(c))
        return bench.download(c)
      }
      #expect(emulated == native)
      let exact = accumulate ? a * b + before : a * b
      #expect(emulated == exact.rounded(as: destination))
    }
    let (x, w, dy) = (whole(m, k, seed: 4), whole(n, k, seed: 5), whole(m, n, seed: 6))
    let forward = both { bench in
      let y = bench.upload(before, as: destination)
      bench.operations.project(
        bench.upload(x, as: .bfloat16), bench.freeze(w), into: y, accumulate: accumulate)
      return bench.download(y)
    }
    #expect(forward.emulated == forward.native)
    let backward = both { bench in
      let dx = bench.upload(x, as: destination)
      bench.operations.projectBackward(
        bench.upload(dy, as: .bfloat16), bench.freeze(w), into: dx, accumulate: accumulate)
      return bench.download(dx)
    }
    #expect(backward.emulated == backward.native)
  }

  /// Both sums are within the bound of ``MatmulTests`` of the exact one, so they differ by at most twice
  /// that. If they are on different sides of a tie between two bfloat16 numbers, they round to neighbours,
  /// which differ by at most 2⁻⁷ of their size.
  @Test(arguments: [ElementType.float32, .bfloat16])
  func anyProductsDifferByTheOrderOfTheirSums(_ destination: ElementType) {
    let (m, n, k) = (33, 40, 576)
    let a = HostMatrix.random(m, k, seed: 1, as: .bfloat16)
    let w = HostMatrix.random(n, k, seed: 2, as: .bfloat16)
    let exact = a * w.transposed
    var bounds = a.magnitudes * w.transposed.magnitudes
    for index in bounds.values.indices {
      let sum = 2 * Double(k + 2) * u * bounds.values[index]
      bounds.values[index] = sum + (destination == .bfloat16 ? 0x1p-7 * (abs(exact.values[index]) + sum) : 0)
    }
    let general = both { bench in
      let c = bench.matrix(m, n, as: destination)
      bench.operations.matmul(
        bench.upload(a, as: .bfloat16), transposed: false, bench.upload(w, as: .bfloat16), transposed: true,
        into: c, accumulate: false)
      return bench.download(c)
    }
    expectWithin(bounds, general.emulated, general.native, "matmul")
    let packed = both { bench in
      let c = bench.matrix(m, n, as: destination)
      bench.operations.project(bench.upload(a, as: .bfloat16), bench.freeze(w), into: c, accumulate: false)
      return bench.download(c)
    }
    expectWithin(bounds, packed.emulated, packed.native, "project")
    if destination == .bfloat16 {
      // A sum is that close to a tie once in thousands: most elements have the same bits.
      let different = zip(packed.emulated.values, packed.native.values).count { $0 != $1 }
      #expect(different <= m * n / 50, "\(different) of \(m * n)")
    }
  }

  /// Stored numbers differ if a sum is on the other side of a tie, by 2⁻⁷ of their size. No element of a
  /// result differs by more than that of the largest element, and few differ at all.
  @Test func attentionAndItsGradient() {
    let shape = AttentionShape(heads: 6, keyValueHeads: 2, dimension: 64)
    let segments = AttentionBench.sequences([30, 11])
    let fused = HostMatrix.random(41, shape.fusedColumns, seed: 3, as: .bfloat16)
    let dOut = HostMatrix.random(41, 384, seed: 4, as: .bfloat16)
    func run(emulating: Bool) -> (out: HostMatrix, gradient: HostMatrix) {
      let layer = AttentionBench(shape, rows: 41, as: .bfloat16, emulating: emulating)
      let out = layer.forward(fused, segments)
      return (out, layer.backward(dOut, segments))
    }
    let (emulated, native) = (run(emulating: true), run(emulating: false))
    expectClose(emulated.out, native.out, relative: 0x1p-7, "forward")
    expectClose(emulated.gradient, native.gradient, relative: 0x1p-7, "backward")
    #expect(relativeError(emulated.out, native.out).norm < 0x1p-10)
    #expect(relativeError(emulated.gradient, native.gradient).norm < 0x1p-10)
  }

  /// Emulation does not affect float32.
  @Test func float32IsNotEmulated() {
    let device = CPUDevice(computeType: .float32, emulating: true)
    #expect(!device.emulatesBFloat16 && device.weightType == .float32)
    #expect(CPUDevice(computeType: .bfloat16, emulating: true).weightType == .float32)
    #expect(CPUDevice(computeType: .bfloat16).weightType == .bfloat16)
  }
}
