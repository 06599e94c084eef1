import Tensor
import Testing

/// Products with packed weights, forward `y = x Wᵀ` and backward `dx = dy W`, within the bounds of
/// ``MatmulTests``. Rows are dense; a single row always is, even if it is part of a wider matrix.
struct ProjectTests {
  static let sizes = [(24, 40), (1, 9), (33, 17), (192, 64), (130, 1)]

  @Test(arguments: [(ElementType.float32, false), (.bfloat16, false), (.bfloat16, true)], [false, true])
  func forwardAndBackward(_ arithmetic: (type: ElementType, emulating: Bool), accumulate: Bool) {
    let type = arithmetic.type
    let bench = Workbench(type, emulating: arithmetic.emulating)
    var seed: UInt64 = 100
    for (outputs, inputs) in Self.sizes {
      let weight = HostMatrix.random(outputs, inputs, seed: seed, as: type)
      let frozen = bench.freeze(weight)
      #expect(frozen.outputs == outputs && frozen.inputs == inputs)
      for rows in [1, 3, 32, 129] {
        for destination in Set([type, .float32]) {
          for layout in Workbench.Layout.allCases where layout == .dense || rows == 1 {
            seed += 2
            let x = HostMatrix.random(rows, inputs, seed: seed, as: type)
            let dy = HostMatrix.random(rows, outputs, seed: seed + 1, as: type)
            check(bench, x, weight.transposed, destination, layout, accumulate) {
              bench.operations.project($0, frozen, into: $1, accumulate: accumulate)
            }
            check(bench, dy, weight, destination, layout, accumulate) {
              bench.operations.projectBackward($0, frozen, into: $1, accumulate: accumulate)
            }
          }
        }
      }
    }
  }

  private func check(
    _ bench: Workbench, _ x: HostMatrix, _ weight: HostMatrix, _ destination: ElementType,
    _ layout: Workbench.Layout, _ accumulate: Bool, _ product: (Matrix, Matrix) -> Void
  ) {
    let nothing = HostMatrix(rows: x.rows, columns: weight.columns)
    let before =
      accumulate
      ? HostMatrix.random(x.rows, weight.columns, seed: 9, as: destination) : nothing
    let y = bench.matrix(x.rows, weight.columns, as: destination, layout)
    if accumulate { bench.put(before, into: y) }
    product(bench.upload(x, as: bench.device.computeType, layout), y)
    let expected = x * weight + before
    let bounds = MatmulTests.bounds(x, weight, before, expected, destination)
    expectWithin(
      bounds, bench.download(y), expected, "[\(x.rows), \(x.columns)] into \(destination) \(layout)")
    #expect(bench.surroundingsAreUntouched(y))
  }

  /// A row of the identity selects a column of W: the output is the stored value.
  @Test(arguments: [(ElementType.float32, false), (.bfloat16, false), (.bfloat16, true)])
  func freezingRoundsToTheNearest(_ type: ElementType, emulating: Bool) {
    let bench = Workbench(type, emulating: emulating)
    let weight = HostMatrix.random(48, 31, seed: 5, in: -3...3)
    var identity = HostMatrix(rows: 31, columns: 31)
    for index in 0..<31 { identity[index, index] = 1 }
    let y = bench.matrix(31, 48)
    bench.operations.project(
      bench.upload(identity, as: type), bench.freeze(weight), into: y, accumulate: false)
    #expect(bench.download(y) == weight.rounded(as: type).transposed)
  }

  @Test(arguments: ElementType.computed)
  func onlyWhatIsAskedForIsHeld(_ type: ElementType) {
    let bench = Workbench(type)
    let weight = HostMatrix.random(192, 64, seed: 6)
    let both = bench.freeze(weight).byteCount
    let forward = bench.freeze(weight, use: .forward).byteCount
    #expect(forward >= 192 * 64 * type.size)
    #expect(both >= forward + 192 * 64 * type.size)
  }

  /// The library would multiply rows with gaps by its reference loops.
  @Test func gapsBetweenRowsTrap() async {
    await #expect(processExitsWith: .failure) {
      let bench = Workbench()
      let frozen = bench.freeze(.random(4, 4, seed: 1))
      bench.operations.project(
        bench.upload(.random(3, 4, seed: 2), .columnsOfWider), frozen, into: bench.matrix(3, 4),
        accumulate: false)
    }
    await #expect(processExitsWith: .failure) {
      let bench = Workbench()
      let frozen = bench.freeze(.random(4, 4, seed: 1), use: .forward)
      bench.operations.projectBackward(
        bench.upload(.random(3, 4, seed: 2)), frozen, into: bench.matrix(3, 4), accumulate: false)
    }
  }

  struct Refusal: Error, Equatable {}

  @Test func whatFillThrowsIsPassedOn() {
    #expect(throws: Refusal()) {
      try CPUDevice(computeType: .float32).freeze(outputs: 2, inputs: 2, use: .forward) { _ in
        throw Refusal()
      }
    }
  }
}
