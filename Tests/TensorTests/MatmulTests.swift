import Tensor
import Testing

/// Compares `c (+)= op(a) op(b)` with float64. Each element must be within the classical bound of a sum of k
/// products in any order, with or without fused multiply-add: (k + 2) u Σ|a b| (Higham, "Accuracy and
/// Stability of Numerical Algorithms", 3.1), plus one rounding to the destination's type. A product of two
/// bfloat16 numbers is exact in float32, so the same bound holds for them.
struct MatmulTests {
  struct Types: Sendable, CustomTestStringConvertible {
    var source: ElementType
    var destination: ElementType
    /// Emulates bfloat16 even if the processor multiplies it.
    var emulating = false
    var testDescription: String { "\(source)\(emulating ? ", emulated," : "") into \(destination)" }

    static var all: [Types] {
      ElementType.computed.flatMap { source in
        Set([source, .float32]).map { Types(source: source, destination: $0) }
      } + [ElementType.float32, .bfloat16].map { Types(source: .bfloat16, destination: $0, emulating: true) }
    }
  }

  static let sizes = [
    (1, 1, 1), (1, 17, 33), (5, 1, 7), (16, 48, 64), (37, 29, 19), (40, 24, 1), (3, 64, 130),
  ]

  @Test(arguments: Types.all, [false, true])
  func everyTranspositionAndLayout(_ types: Types, accumulate: Bool) {
    let bench = Workbench(types.source, emulating: types.emulating)
    var seed: UInt64 = 1
    for (m, n, k) in Self.sizes {
      for (transposedA, transposedB) in [(false, false), (false, true), (true, false), (true, true)] {
        for layouts in Self.layouts {
          seed += 3
          let a = HostMatrix.random(m, k, seed: seed, as: types.source)
          let b = HostMatrix.random(k, n, seed: seed + 1, as: types.source)
          let c = HostMatrix.random(m, n, seed: seed + 2, as: types.destination)
          let target = bench.matrix(m, n, as: types.destination, layouts.c)
          if accumulate { bench.put(c, into: target) }
          bench.operations.matmul(
            bench.upload(transposedA ? a.transposed : a, as: types.source, layouts.a),
            transposed: transposedA,
            bench.upload(transposedB ? b.transposed : b, as: types.source, layouts.b),
            transposed: transposedB, into: target, accumulate: accumulate)
          let before = accumulate ? c : HostMatrix(rows: m, columns: n)
          let expected = a * b + before
          let bounds = Self.bounds(a, b, before, expected, types.destination)
          let what = "[\(m), \(k)]\(transposedA ? "T" : "") [\(k), \(n)]\(transposedB ? "T" : "") \(layouts)"
          expectWithin(bounds, bench.download(target), expected, what)
          #expect(bench.surroundingsAreUntouched(target), "\(what)")
        }
      }
    }
  }

  @Test(arguments: ElementType.computed)
  func nothingToSumIsZeroOrWhatWasThere(_ type: ElementType) {
    let bench = Workbench(type)
    let (a, b) = (bench.matrix(3, 0, as: type), bench.matrix(0, 5, as: type))
    let before = HostMatrix.random(3, 5, seed: 1)
    let c = bench.upload(before, .columnsOfWider)
    bench.operations.matmul(a, transposed: false, b, transposed: false, into: c, accumulate: true)
    #expect(bench.download(c) == before)
    bench.operations.matmul(a, transposed: false, b, transposed: false, into: c, accumulate: false)
    #expect(bench.download(c) == HostMatrix(rows: 3, columns: 5))
    #expect(bench.surroundingsAreUntouched(c))
  }

  @Test func emptyResultsAreLeftAlone() {
    let bench = Workbench()
    let (wide, empty) = (bench.upload(.random(4, 6, seed: 1)), bench.matrix(0, 4))
    bench.operations.matmul(
      empty, transposed: false, wide, transposed: false, into: bench.matrix(0, 6), accumulate: false)
    bench.operations.matmul(
      wide, transposed: true, empty, transposed: true, into: bench.matrix(6, 0), accumulate: true)
  }

  @Test(arguments: ElementType.computed)
  func severalThreadsComputeTheSameProduct(_ type: ElementType) {
    let bench = Workbench(type, threads: 2)
    let a = HostMatrix.random(65, 192, seed: 1, as: type)
    let b = HostMatrix.random(192, 70, seed: 2, as: type)
    let c = bench.matrix(65, 70)
    bench.operations.matmul(
      bench.upload(a, as: type), transposed: false, bench.upload(b, as: type), transposed: false, into: c,
      accumulate: false)
    let expected = a * b
    let nothing = HostMatrix(rows: 65, columns: 70)
    expectWithin(Self.bounds(a, b, nothing, expected, .float32), bench.download(c), expected)
  }

  /// Selects which of the three matrices are columns of a wider one.
  struct Layouts: CustomStringConvertible {
    var a: Workbench.Layout
    var b: Workbench.Layout
    var c: Workbench.Layout
    var description: String { "a \(a), b \(b), c \(c)" }
  }

  static let layouts = Workbench.Layout.allCases.flatMap { a in
    Workbench.Layout.allCases.flatMap { b in
      Workbench.Layout.allCases.map { Layouts(a: a, b: b, c: $0) }
    }
  }

  static func bounds(
    _ a: HostMatrix, _ b: HostMatrix, _ before: HostMatrix, _ expected: HostMatrix, _ type: ElementType
  ) -> HostMatrix {
    var bounds = a.magnitudes * b.magnitudes + before.magnitudes
    for index in bounds.values.indices {
      let sum = Double(a.columns + 2) * u * bounds.values[index]
      bounds.values[index] = sum + type.roundoff * (abs(expected.values[index]) + sum)
    }
    return bounds
  }
}
