import Tensor
import Testing

/// y = x w / sqrt(mean(x²) + epsilon) and its gradient.
struct RMSNormTests {
  static let epsilon = Double(Float(1e-5))
  static let shapes = [(1, 1), (3, 5), (4, 16), (2, 67), (5, 576)]

  static func reference(_ x: HostMatrix, _ weight: HostMatrix) -> HostMatrix {
    var y = x
    for row in 0..<x.rows {
      let scale = rstd(x, row)
      for column in 0..<x.columns { y[row, column] *= scale * weight[0, column] }
    }
    return y
  }

  static func rstd(_ x: HostMatrix, _ row: Int) -> Double {
    let squares = (0..<x.columns).reduce(0) { $0 + x[row, $1] * x[row, $1] }
    return 1 / (squares / Double(x.columns) + epsilon).squareRoot()
  }

  /// A sum of n squares has a relative error of at most n u, its square root half of that. The few other
  /// operations add u each, and storing adds one rounding.
  @Test(arguments: [ElementType.float32, .bfloat16])
  func forward(_ type: ElementType) {
    let bench = Workbench()
    for (rows, n) in Self.shapes {
      let x = HostMatrix.random(rows, n, seed: 1, in: -3...3)
      let weight = HostMatrix.random(1, n, seed: 2, in: 0.5...1.5)
      let (y, rstd) = (bench.matrix(rows, n, as: type), bench.matrix(rows, 1))
      bench.operations.rmsNorm(
        bench.upload(x), weight: bench.upload(weight), epsilon: 1e-5, into: y, rstd: rstd)
      let expected = Self.reference(x, weight)
      let relative = (Double(n) / 2 + 8) * u
      expectWithin(
        expected.map { abs($0) * (relative + type.roundoff * (1 + relative)) }, bench.download(y), expected)
      let scales = HostMatrix(rows: rows, columns: 1, values: (0..<rows).map { Self.rstd(x, $0) })
      expectWithin(scales.map { $0 * relative }, bench.download(rstd), scales)
    }
  }

  /// dx += s w dy - s³ x mean(dy w x): each of the two terms is within (n + 16) u of its magnitude; the
  /// central differences add less than 1e-8.
  @Test func backwardAddsTheGradient() {
    let bench = Workbench()
    for (rows, n) in Self.shapes {
      let x = HostMatrix.random(rows, n, seed: 3, in: -2...2)
      let weight = HostMatrix.random(1, n, seed: 4, in: 0.5...1.5)
      let dy = HostMatrix.random(rows, n, seed: 5)
      let before = HostMatrix.random(rows, n, seed: 6)
      let (deviceX, deviceWeight) = (bench.upload(x), bench.upload(weight))
      let (y, rstd, dx) = (bench.matrix(rows, n), bench.matrix(rows, 1), bench.upload(before))
      bench.operations.rmsNorm(deviceX, weight: deviceWeight, epsilon: 1e-5, into: y, rstd: rstd)
      bench.operations.rmsNormBackward(
        dy: bench.upload(dy), x: deviceX, weight: deviceWeight, rstd: rstd, addTo: dx)

      var expected = before
      var bounds = before
      for row in 0..<rows {
        let range = row..<row + 1
        let gradient = centralDifferences(at: x.rows(range)) {
          dy.rows(range).dot(Self.reference($0, weight))
        }
        let s = Self.rstd(x, row)
        let mean = (0..<n).reduce(0) { $0 + abs(dy[row, $1] * weight[0, $1] * x[row, $1]) } / Double(n)
        for column in 0..<n {
          expected[row, column] += gradient[0, column]
          let magnitude =
            s * abs(weight[0, column] * dy[row, column]) + s * s * s * abs(x[row, column]) * mean
          bounds[row, column] = Double(n + 16) * u * (magnitude + abs(before[row, column])) + 1e-8
        }
      }
      expectWithin(bounds, bench.download(dx), expected, "[\(rows), \(n)]")
    }
  }

  @Test func aRowOfZerosStaysFinite() {
    let bench = Workbench()
    let zeros = HostMatrix(rows: 1, columns: 20)
    let (x, weight) = (bench.upload(zeros), bench.upload(.random(1, 20, seed: 1)))
    let (y, rstd, dx) = (bench.matrix(1, 20), bench.matrix(1, 1), bench.upload(zeros))
    bench.operations.rmsNorm(x, weight: weight, epsilon: 1e-5, into: y, rstd: rstd)
    #expect(bench.download(y) == zeros)
    bench.operations.rmsNormBackward(dy: x, x: x, weight: weight, rstd: rstd, addTo: dx)
    #expect(bench.download(dx) == zeros)
  }
}
