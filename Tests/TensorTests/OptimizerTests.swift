import Foundation
import Tensor
import Testing

/// AdamW, and the norm for clipping.
struct OptimizerTests {
  /// The definition, element by element, in float64.
  struct Reference {
    var parameters: HostMatrix
    var first: HostMatrix
    var second: HostMatrix

    mutating func step(_ gradient: HostMatrix, _ settings: AdamWSettings, rate: Double, _ number: Int) {
      for index in parameters.values.indices {
        let g = gradient.values[index]
        first.values[index] = settings.beta1 * first.values[index] + (1 - settings.beta1) * g
        second.values[index] = settings.beta2 * second.values[index] + (1 - settings.beta2) * g * g
        let m = first.values[index] / (1 - pow(settings.beta1, Double(number)))
        let v = second.values[index] / (1 - pow(settings.beta2, Double(number)))
        let decayed = parameters.values[index] * (1 - rate * settings.weightDecay)
        parameters.values[index] = decayed - rate * m / (v.squareRoot() + settings.epsilon)
      }
    }
  }

  /// Each step changes a parameter by about the learning rate. The parameter's rounding is u relatively; the
  /// update is within 16 u + 3e-7 of the rate: its operations, and the float32 roundings of the decay rates,
  /// which the bias corrections use as well.
  @Test(arguments: [0.0, 0.1])
  func severalSteps(weightDecay: Double) {
    let bench = Workbench()
    let settings = AdamWSettings(weightDecay: weightDecay)
    let steps = 25
    for count in [1, 16, 67, 1000] {
      var reference = Reference(
        parameters: .random(1, count, seed: 1), first: HostMatrix(rows: 1, columns: count),
        second: HostMatrix(rows: 1, columns: count))
      let parameters = bench.upload(reference.parameters)
      let (first, second) = (bench.upload(reference.first), bench.upload(reference.second))
      for step in 1...steps {
        let gradient = HostMatrix.random(1, count, seed: UInt64(100 + step), in: -2...2)
        bench.operations.adamW(
          parameters: parameters, gradient: bench.upload(gradient), gradientScale: 0.5, firstMoment: first,
          secondMoment: second, settings: settings, learningRate: 0x1p-7, step: step)
        reference.step(gradient.map { $0 * 0.5 }, settings, rate: 0x1p-7, step)
        let bound = Double(step) * (1.5 * u + 0x1p-7 * (16 * u + 3e-7))
        expectWithin(
          HostMatrix(rows: 1, columns: count, repeating: bound), bench.download(parameters),
          reference.parameters, "step \(step)")
      }
      // Running means of numbers of magnitude 1: a few roundings per step, forgotten at their own rates.
      expectClose(bench.download(first), reference.first, relative: 40 * u)
      // 1 - beta2 in float32 has a relative error of 1.3e-5, which the bias correction cancels.
      expectClose(bench.download(second), reference.second, relative: 2e-5)
    }
  }

  /// The first step equals the learning rate, whatever the gradient's magnitude: only its sign counts.
  @Test func theFirstStepIsTheRate() {
    let bench = Workbench()
    let gradient = HostMatrix(rows: 1, columns: 5, values: [1e-3, -1, 7, 1e5, -1e-2])
    let parameters = bench.upload(HostMatrix(rows: 1, columns: 5))
    bench.operations.adamW(
      parameters: parameters, gradient: bench.upload(gradient), gradientScale: 1,
      firstMoment: bench.upload(HostMatrix(rows: 1, columns: 5)),
      secondMoment: bench.upload(HostMatrix(rows: 1, columns: 5)), settings: AdamWSettings(epsilon: 0),
      learningRate: 1, step: 1)
    // Only roundings: no bias remains from the decay rates' own rounding.
    expectWithin(
      HostMatrix(rows: 1, columns: 5, repeating: 8 * u), bench.download(parameters),
      HostMatrix(rows: 1, columns: 5, values: [-1, 1, -1, -1, 1]))
  }

  /// Without a gradient and decay, a parameter keeps its bits.
  @Test func nothingMovesWithoutAGradient() {
    let bench = Workbench()
    let values = HostMatrix.random(1, 67, seed: 2)
    let zeros = HostMatrix(rows: 1, columns: 67)
    let parameters = bench.upload(values)
    let (first, second) = (bench.upload(zeros), bench.upload(zeros))
    for step in 1...3 {
      bench.operations.adamW(
        parameters: parameters, gradient: bench.upload(zeros), gradientScale: 1, firstMoment: first,
        secondMoment: second, settings: AdamWSettings(), learningRate: 0.1, step: step)
    }
    #expect(bench.download(parameters) == values)
  }

  /// Frozen columns are separate memory: updating a part leaves the rest unchanged.
  @Test func aPartIsUpdatedAlone() {
    let bench = Workbench()
    let values = HostMatrix.random(1, 40, seed: 3)
    let parameters = bench.upload(values)
    let (first, second) = (
      bench.upload(HostMatrix(rows: 1, columns: 40)), bench.upload(HostMatrix(rows: 1, columns: 40))
    )
    let part = 7..<24
    bench.operations.adamW(
      parameters: parameters.columns(part), gradient: bench.upload(.random(1, 17, seed: 4)),
      gradientScale: 1, firstMoment: first.columns(part), secondMoment: second.columns(part),
      settings: AdamWSettings(weightDecay: 0.1), learningRate: 0.1, step: 1)
    let after = bench.download(parameters)
    for column in 0..<40 {
      #expect((after[0, column] != values[0, column]) == part.contains(column))
      #expect((bench.download(first)[0, column] != 0) == part.contains(column))
    }
  }

  /// Squares of float32 numbers are exact in float64; the sum of n of them is within n float64 roundings.
  @Test func sumOfSquares() {
    let bench = Workbench()
    for (rows, columns) in [(0, 4), (1, 1), (1, 7), (3, 8), (1, 1001)] {
      let x = HostMatrix.random(rows, columns, seed: 5, in: -1e3...1e3)
      let expected = x.dot(x)
      let sum = bench.operations.sumOfSquares(bench.upload(x))
      #expect(abs(sum - expected) <= expected * Double(x.values.count) * 0x1p-53)
    }
  }

  @Test func gapsBetweenRowsTrap() async {
    await #expect(processExitsWith: .failure) {
      let bench = Workbench()
      _ = bench.operations.sumOfSquares(bench.upload(.random(3, 4, seed: 1), .columnsOfWider))
    }
    await #expect(processExitsWith: .failure) {
      let bench = Workbench()
      let gaps = bench.upload(.random(3, 4, seed: 1), .columnsOfWider)
      let (p, m, v) = (bench.matrix(3, 4), bench.matrix(3, 4), bench.matrix(3, 4))
      bench.operations.adamW(
        parameters: p, gradient: gaps, gradientScale: 1, firstMoment: m, secondMoment: v,
        settings: AdamWSettings(), learningRate: 1, step: 1)
    }
  }
}
