import Foundation
import Tensor
import Testing

/// Logits, log-probabilities and cross-entropy with a head whose vocabulary is split into chunks.
struct HeadTests {
  static let hidden = 24
  static let chunks = [16, 24, 13, 1]
  static let vocabulary = 54
  /// In the first chunk, at chunk boundaries, and in the last chunk, which has a single token.
  static let tokens: [Int32] = [0, 15, 16, 39, 40, 53, 7]

  let bench: Workbench
  let type: ElementType
  let x: HostMatrix
  let weight: HostMatrix
  let head: [any PackedMatrix]

  /// `spread` is the magnitude of x and W: the larger, the more certain the predictions.
  private init(_ type: ElementType, spread: Double = 1, seed: UInt64 = 1) {
    self.type = type
    bench = Workbench(type)
    x = .random(Self.tokens.count, Self.hidden, seed: seed, in: -spread...spread, as: type)
    let weight = HostMatrix.random(
      Self.vocabulary, Self.hidden, seed: seed + 1, in: -spread...spread, as: type)
    self.weight = weight
    var row = 0
    let bench = bench
    head = Self.chunks.map { count in
      defer { row += count }
      return bench.freeze(weight.rows(row..<row + count))
    }
  }

  init() { self.init(.float32) }

  static func losses(_ x: HostMatrix, _ weight: HostMatrix) -> [Double] {
    let logits = x * weight.transposed
    return (0..<x.rows).map { row in
      let values = logits.rows(row..<row + 1).values
      let largest = values.reduce(-Double.infinity, max)
      return largest + log(values.reduce(0) { $0 + exp($1 - largest) }) - values[Int(tokens[row])]
    }
  }

  /// The error bound of the logits: that of ``MatmulTests`` for the largest logit.
  private var logitError: Double {
    let magnitudes = x.magnitudes * weight.transposed.magnitudes
    return Double(Self.hidden + 2) * u * (magnitudes.values.max() ?? 0)
  }

  /// Twice the logits' error (target and log-sum-exp), the roundings of exp, sum and logarithm (16 u), and
  /// the roundings of the result itself.
  private var lossError: Double { 2 * logitError + 16 * u + 4 * logitError / Double(Self.hidden) }

  @Test(arguments: ElementType.computed)
  func logits(_ type: ElementType) {
    let test = HeadTests(type)
    let target = test.bench.matrix(test.x.rows, Self.vocabulary)
    test.bench.operations.logits(test.bench.upload(test.x, as: type), head: test.head, into: target)
    let expected = test.x * test.weight.transposed
    expectWithin(
      expected.map { _ in test.logitError }, test.bench.download(target), expected)
  }

  @Test(arguments: ElementType.computed, [1.0, 4.0])
  func logProbabilities(_ type: ElementType, spread: Double) {
    let test = HeadTests(type, spread: spread)
    let actual = test.bench.operations.logProbabilities(
      test.bench.upload(test.x, as: type), head: test.head, tokens: Self.tokens)
    for (found, loss) in zip(actual, Self.losses(test.x, test.weight)) {
      #expect(abs(Double(found) + loss) <= test.lossError)
    }
  }

  /// `dx = scale Σ (p - 1[token]) W`. The gradient of the logits is stored with two roundings (exp, then its
  /// multiple), and the sum over the vocabulary adds the square root of its length. The logits' own errors
  /// become relative errors of p.
  @Test(arguments: ElementType.computed, [1.0, 4.0])
  func crossEntropy(_ type: ElementType, spread: Double) {
    let test = HeadTests(type, spread: spread)
    let dx = test.bench.matrix(test.x.rows, Self.hidden)
    let scale: Float = 0.25
    let loss = test.bench.operations.crossEntropy(
      test.bench.upload(test.x, as: type), head: test.head, tokens: Self.tokens, scale: scale, dx: dx)
    let expected = Self.losses(test.x, test.weight).reduce(0, +)
    #expect(abs(loss - expected) <= Double(Self.tokens.count) * test.lossError)

    let gradient = centralDifferences(at: test.x) {
      Double(scale) * Self.losses($0, test.weight).reduce(0, +)
    }
    let tolerance = 2 * type.roundoff + 2 * test.logitError + 16 * u
    expectClose(test.bench.download(dx), gradient, relative: tolerance)
  }

  /// An almost certain token has a loss near 0 and the gradient p - 1, both small differences of large
  /// numbers.
  @Test(arguments: ElementType.computed)
  func aCertainTokenKeepsItsDigits(_ type: ElementType) {
    let bench = Workbench(type)
    // Logits 40 and 31: 1 - p is about 1.2e-4, and 40 (1 + u) is already off by 2e-6.
    let weight = HostMatrix(rows: 2, columns: 2, values: [40, 0, 31, 1])
    let x = bench.upload(HostMatrix(rows: 1, columns: 2, values: [1, 0]), as: type)
    let head = [bench.freeze(weight)]
    let dx = bench.matrix(1, 2)
    let loss = bench.operations.crossEntropy(x, head: head, tokens: [0], scale: 1, dx: dx)
    let exact = log(1 + exp(-9.0))
    // 1 + exp(-9) is rounded, whatever the magnitude of the logits.
    #expect(abs(loss - exact) <= 4 * u)
    let logProbability = bench.operations.logProbabilities(x, head: head, tokens: [0])[0]
    #expect(abs(Double(logProbability) + exact) <= 4 * u)

    let rest = 1 / (1 + exp(9.0))
    let expected = HostMatrix(rows: 1, columns: 2, values: [(31 - 40) * rest, rest])
    let relative = 2 * type.roundoff * rest + 4 * u
    expectWithin(
      HostMatrix(rows: 1, columns: 2, values: [(31 + 40) * relative, relative]), bench.download(dx), expected)
  }

  /// The largest logit is in the first or the last chunk, hundreds above all others.
  @Test(arguments: ElementType.computed, [0, 2])
  func chunksFarApart(_ type: ElementType, _ largest: Int) {
    let bench = Workbench(type)
    var values = [0.0, 1, 0.5]
    values[largest] = 512
    let weight = HostMatrix(rows: 3, columns: 1, values: values)
    let head = (0..<3).map { bench.freeze(weight.rows($0..<$0 + 1)) }
    let x = bench.upload(HostMatrix(rows: 2, columns: 1, repeating: 1), as: type)
    let dx = bench.matrix(2, 1)
    let loss = bench.operations.crossEntropy(
      x, head: head, tokens: [1, Int32(largest)], scale: 1, dx: dx)
    #expect(loss == 511)
    #expect(bench.download(dx).values == [511, 0])
    #expect(bench.operations.logProbabilities(x, head: head, tokens: [1, Int32(largest)]) == [-511, 0])
  }

  @Test(arguments: ElementType.computed)
  func noRowsCostNothing(_ type: ElementType) {
    let test = HeadTests(type)
    let none = test.bench.matrix(0, Self.hidden, as: type)
    #expect(test.bench.operations.logProbabilities(none, head: test.head, tokens: []).isEmpty)
    let dx = test.bench.matrix(0, Self.hidden)
    #expect(
      test.bench.operations.crossEntropy(none, head: test.head, tokens: [], scale: 1, dx: dx) == 0)
  }
}

extension TensorOperations {
  fileprivate func logProbabilities(_ x: Matrix, head: [any PackedMatrix], tokens: [Int32]) -> [Float] {
    tokenScores(x, head: head, tokens: tokens).map(\.logProbability)
  }
}
