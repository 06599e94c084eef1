import Foundation
import Tensor
import Testing

/// act = gate sigmoid(gate) up and its gradient. The kernels' exp is within 3e-7 < 6 u (see
/// ``ExponentialTests``); the other operations add u each.
struct SwiGLUTests {
  static let shapes = [(1, 1), (3, 7), (2, 16), (5, 67), (4, 192)]

  static func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }

  static func reference(_ gateUp: HostMatrix) -> HostMatrix {
    let n = gateUp.columns / 2
    var act = HostMatrix(rows: gateUp.rows, columns: n)
    for row in 0..<act.rows {
      for column in 0..<n { act[row, column] = silu(gateUp[row, column]) * gateUp[row, n + column] }
    }
    return act
  }

  @Test(arguments: [ElementType.float32, .bfloat16])
  func forward(_ type: ElementType) {
    let bench = Workbench()
    for (rows, n) in Self.shapes {
      let gateUp = HostMatrix.random(rows, 2 * n, seed: 1, in: -8...8, as: type)
      let act = bench.matrix(rows, n, as: type)
      bench.operations.swiGLU(bench.upload(gateUp, as: type), into: act)
      let expected = Self.reference(gateUp)
      expectWithin(
        expected.map { abs($0) * (12 * u + type.roundoff * (1 + 12 * u)) }, bench.download(act), expected)
    }
  }

  /// Near sigmoid = 1, the difference 1 - sigmoid has the absolute error of the sum, 6 u, which is multiplied
  /// by the gate. Hence d gate is within 16 u (1 + |gate|) |d up|; central differences add less than 1e-8.
  @Test(arguments: [ElementType.float32, .bfloat16])
  func backward(_ type: ElementType) {
    let bench = Workbench()
    for (rows, n) in Self.shapes {
      let gateUp = HostMatrix.random(rows, 2 * n, seed: 2, in: -8...8, as: type)
      let dAct = HostMatrix.random(rows, n, seed: 3, as: type)
      let target = bench.matrix(rows, 2 * n, as: type)
      bench.operations.swiGLUBackward(
        gateUp: bench.upload(gateUp, as: type), dAct: bench.upload(dAct, as: type), into: target)
      var expected = gateUp
      var bounds = gateUp
      for row in 0..<rows {
        // Elements are independent: each row is differentiated separately, to save time.
        let range = row..<row + 1
        let gradient = centralDifferences(at: gateUp.rows(range)) {
          dAct.rows(range).dot(Self.reference($0))
        }
        for column in 0..<2 * n {
          let exact = gradient[0, column]
          let (gate, up, d) = (gateUp[row, column % n], gateUp[row, n + column % n], dAct[row, column % n])
          let computed =
            column < n ? 16 * u * (1 + abs(gate)) * abs(d * up) : 12 * u * abs(exact)
          expected[row, column] = exact
          bounds[row, column] = computed + type.roundoff * (abs(exact) + computed) + 1e-8
        }
      }
      expectWithin(bounds, bench.download(target), expected, "[\(rows), \(n)]")
    }
  }

  /// Far beyond the saturation of exp, the activation is the gate itself, or almost zero.
  @Test func largeGatesStayFinite() {
    let bench = Workbench()
    let gateUp = HostMatrix(rows: 1, columns: 8, values: [-1e4, -200, 200, 1e4, 1, 1, 1, 1])
    let (act, gradient) = (bench.matrix(1, 4), bench.matrix(1, 8))
    let device = bench.upload(gateUp)
    bench.operations.swiGLU(device, into: act)
    expectWithin(
      HostMatrix(rows: 1, columns: 4, repeating: 1e-33), bench.download(act),
      HostMatrix(rows: 1, columns: 4, values: [0, 0, 200, 1e4]))
    let ones = HostMatrix(rows: 1, columns: 4, repeating: 1)
    bench.operations.swiGLUBackward(gateUp: device, dAct: bench.upload(ones), into: gradient)
    expectWithin(
      HostMatrix(rows: 1, columns: 8, repeating: 1e-33), bench.download(gradient),
      HostMatrix(rows: 1, columns: 8, values: [0, 0, 1, 1, 0, 0, 200, 1e4]))
  }
}
