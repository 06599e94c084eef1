import Tensor
import Testing

/// Copies in all layouts and types: every element arrives, and nothing around it changes.
struct DataMovementTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var source: ElementType
    var sourceLayout: Workbench.Layout
    var destination: ElementType
    var destinationLayout: Workbench.Layout
    var testDescription: String { "\(source) \(sourceLayout) to \(destination) \(destinationLayout)" }

    static let all = [ElementType.float32, .bfloat16].flatMap { source in
      Workbench.Layout.allCases.flatMap { sourceLayout in
        [ElementType.float32, .bfloat16].flatMap { destination in
          Workbench.Layout.allCases.map {
            Case(
              source: source, sourceLayout: sourceLayout, destination: destination, destinationLayout: $0)
          }
        }
      }
    }
  }

  @Test(arguments: Case.all)
  func copyConverts(_ test: Case) {
    let bench = Workbench()
    for (rows, columns) in [(1, 1), (3, 5), (4, 67), (0, 3)] {
      let values = HostMatrix.random(rows, columns, seed: 1, in: -9...9, as: test.source)
      let target = bench.matrix(rows, columns, as: test.destination, test.destinationLayout)
      bench.operations.copy(bench.upload(values, as: test.source, test.sourceLayout), into: target)
      #expect(bench.download(target) == values.rounded(as: test.destination))
      #expect(bench.surroundingsAreUntouched(target))
    }
  }

  @Test(arguments: Case.all)
  func gatherAndScatterMoveRows(_ test: Case) {
    let bench = Workbench()
    let values = HostMatrix.random(6, 11, seed: 2, as: test.source)
    let source = bench.upload(values, as: test.source, test.sourceLayout)
    let indices = [4, 0, 4, 2]
    let gathered = bench.matrix(4, 11, as: test.destination, test.destinationLayout)
    bench.operations.gatherRows(source, indices, into: gathered)
    #expect(
      bench.download(gathered)
        == HostMatrix.stacked(indices.map { values.rows($0..<$0 + 1) }).rounded(as: test.destination))
    #expect(bench.surroundingsAreUntouched(gathered))

    let before = HostMatrix.random(9, 11, seed: 3, as: test.destination)
    let scattered = bench.matrix(9, 11, as: test.destination, test.destinationLayout)
    bench.put(before, into: scattered)
    let places = [8, 1, 5, 0, 3, 6]
    bench.operations.scatterRows(source, places, into: scattered)
    var expected = before
    for (row, index) in places.enumerated() {
      for column in 0..<11 { expected[index, column] = test.destination.rounded(values[row, column]) }
    }
    #expect(bench.download(scattered) == expected)
    #expect(bench.surroundingsAreUntouched(scattered))
  }

  @Test(arguments: [ElementType.float32, .bfloat16], Workbench.Layout.allCases)
  func writeScalesAndReadReturns(_ type: ElementType, _ layout: Workbench.Layout) {
    let bench = Workbench()
    for (rows, columns) in [(1, 1), (3, 5), (4, 67)] {
      let values = HostMatrix.random(rows, columns, seed: 4)
      let target = bench.matrix(rows, columns, as: type, layout)
      bench.operations.write(values.values.map(Float.init), scale: 0.75, into: target)
      // The product is rounded to float32 before it is stored.
      let expected = values.map { type.rounded(ElementType.float32.rounded($0 * 0.75)) }
      #expect(bench.download(target) == expected)
      #expect(bench.surroundingsAreUntouched(target))

      var read = [Float](repeating: .nan, count: rows * columns + 1)
      read.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress { bench.operations.read(target, into: base) }
      }
      #expect(read.dropLast().map(Double.init) == expected.values)
      #expect(read[rows * columns].isNaN, "wrote beyond the end")
    }
  }

  @Test(arguments: [ElementType.float32, .bfloat16], Workbench.Layout.allCases)
  func zeroClearsTheElementsAlone(_ type: ElementType, _ layout: Workbench.Layout) {
    let bench = Workbench()
    let target = bench.upload(.random(5, 7, seed: 5, as: type), as: type, layout)
    bench.operations.zero(target)
    #expect(bench.bytes(target).allSatisfy { $0 == 0 })
    #expect(bench.surroundingsAreUntouched(target))
  }

  @Test func addIsTheRoundedSum() {
    let bench = Workbench()
    for (rows, columns) in [(1, 1), (3, 5), (4, 67)] {
      let x = HostMatrix.random(rows, columns, seed: 6)
      let y = HostMatrix.random(rows, columns, seed: 7)
      let target = bench.upload(y)
      bench.operations.add(bench.upload(x), to: target)
      #expect(bench.download(target) == (x + y).rounded(as: .float32))
    }
  }
}
