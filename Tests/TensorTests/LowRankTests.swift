import Tensor
import Testing

/// The thin products of a low-rank adapter and a packed weight, as a model composes them:
/// y = x Wᵀ + (x Aᵀ) Bᵀ. The A of several adapted layers are stacked into one matrix, and each B adds to its
/// own columns of y. Also their gradients.
struct LowRankTests {
  static let inputs = 40
  static let outputs = [32, 16, 16]
  static let rank = 4

  struct Case: Sendable, CustomTestStringConvertible {
    var type: ElementType
    var rows: Int
    var testDescription: String { "\(rows) rows, \(type)" }
    static let all = ElementType.computed.flatMap { type in
      [1, 16, 37].map { Case(type: type, rows: $0) }
    }
  }

  let bench: Workbench
  let x: HostMatrix
  let w: HostMatrix
  let a: HostMatrix
  let b: [HostMatrix]
  let dy: HostMatrix

  private init(_ test: Case) {
    bench = Workbench(test.type)
    let total = Self.outputs.reduce(0, +)
    x = .random(test.rows, Self.inputs, seed: 1, as: test.type)
    w = .random(total, Self.inputs, seed: 2, as: test.type)
    a = .random(Self.rank * Self.outputs.count, Self.inputs, seed: 3, as: test.type)
    b = Self.outputs.enumerated().map {
      .random($0.element, Self.rank, seed: UInt64(4 + $0.offset), as: test.type)
    }
    dy = .random(test.rows, total, seed: 9, as: test.type)
  }

  init() { self.init(Case(type: .float32, rows: 1)) }

  private static func ranges() -> [(low: Range<Int>, outputs: Range<Int>)] {
    var first = 0
    return outputs.enumerated().map { index, count in
      defer { first += count }
      return (index * rank..<(index + 1) * rank, first..<first + count)
    }
  }

  static func reference(_ x: HostMatrix, _ w: HostMatrix, _ a: HostMatrix, _ b: [HostMatrix]) -> HostMatrix {
    var y = x * w.transposed
    let low = x * a.transposed
    for (part, b) in zip(ranges(), b) {
      let own = low.columns(part.low) * b.transposed
      for row in 0..<y.rows {
        for column in part.outputs { y[row, column] += own[row, column - part.outputs.lowerBound] }
      }
    }
    return y
  }

  /// x Aᵀ and, if y has the compute type, each sum into y are stored with one rounding; sums have up to
  /// `inputs` terms.
  private func tolerance(_ type: ElementType) -> Double {
    3 * type.roundoff + 2 * Double(Self.inputs).squareRoot() * u
  }

  @Test(arguments: Case.all)
  func forward(_ test: Case) {
    let layer = LowRankTests(test)
    let (bench, operations) = (layer.bench, layer.bench.operations)
    let expected = Self.reference(layer.x, layer.w, layer.a, layer.b)
    for destination in Set([test.type, .float32]) {
      let x = bench.upload(layer.x, as: test.type)
      let y = bench.matrix(test.rows, layer.w.rows, as: destination)
      // The memory is wider than the columns in use, as it is if another task has more columns.
      let low = bench.matrix(test.rows, layer.a.rows, as: test.type, .columnsOfWider)
      operations.project(x, bench.freeze(layer.w), into: y, accumulate: false)
      operations.matmul(
        x, transposed: false, bench.upload(layer.a, as: test.type), transposed: true, into: low,
        accumulate: false)
      for (part, b) in zip(Self.ranges(), layer.b) {
        operations.matmul(
          low.columns(part.low), transposed: false, bench.upload(b, as: test.type), transposed: true,
          into: y.columns(part.outputs), accumulate: true)
      }
      expectClose(bench.download(y), expected, relative: layer.tolerance(test.type), "\(destination)")
      #expect(bench.surroundingsAreUntouched(low))
    }
  }

  @Test(arguments: Case.all)
  func backward(_ test: Case) {
    let layer = LowRankTests(test)
    let (bench, operations) = (layer.bench, layer.bench.operations)
    let (x, dy) = (bench.upload(layer.x, as: test.type), bench.upload(layer.dy, as: test.type))
    let a = bench.upload(layer.a, as: test.type)
    let low = bench.matrix(test.rows, layer.a.rows, as: test.type)
    let dLow = bench.matrix(test.rows, layer.a.rows, as: test.type)
    let dx = bench.matrix(test.rows, Self.inputs)
    operations.matmul(x, transposed: false, a, transposed: true, into: low, accumulate: false)
    operations.projectBackward(dy, bench.freeze(layer.w), into: dx, accumulate: false)

    let tolerance = layer.tolerance(test.type)
    for (index, part) in Self.ranges().enumerated() {
      let own = dy.columns(part.outputs)
      operations.matmul(
        own, transposed: false, bench.upload(layer.b[index], as: test.type), transposed: false,
        into: dLow.columns(part.low), accumulate: false)
      // Only the last columns of each block are trained.
      let trainable = part.low.dropFirst(1)
      let (dA, dB) = (bench.matrix(trainable.count, Self.inputs), bench.matrix(own.columns, trainable.count))
      let columns = trainable.startIndex..<trainable.endIndex
      operations.matmul(
        dLow.columns(columns), transposed: true, x, transposed: false, into: dA, accumulate: false)
      operations.matmul(
        own, transposed: true, low.columns(columns), transposed: false, into: dB, accumulate: false)

      let gradientA = centralDifferences(at: layer.a.rows(columns)) { part in
        var a = layer.a
        for (row, column) in columns.enumerated() {
          for input in 0..<Self.inputs { a[column, input] = part[row, input] }
        }
        return layer.dy.dot(Self.reference(layer.x, layer.w, a, layer.b))
      }
      expectClose(bench.download(dA), gradientA, relative: tolerance, "dA \(index)")
      let gradientB = centralDifferences(at: layer.b[index]) { changed in
        var b = layer.b
        b[index] = changed
        return layer.dy.dot(Self.reference(layer.x, layer.w, layer.a, b))
      }
      expectClose(bench.download(dB), gradientB.columns(1..<Self.rank), relative: tolerance, "dB \(index)")
    }
    operations.matmul(dLow, transposed: false, a, transposed: false, into: dx, accumulate: true)
    let gradientX = centralDifferences(at: layer.x) {
      layer.dy.dot(Self.reference($0, layer.w, layer.a, layer.b))
    }
    expectClose(bench.download(dx), gradientX, relative: tolerance, "dx")
  }
}
