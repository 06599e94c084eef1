import SeededRandom
import Testing
import Transport

@Suite struct WireFormatTests {
  private func roundTrip(_ values: [Float], columns: Int, _ format: WireFormat) -> [Float] {
    let count = format.byteCount(rows: values.count / columns, columns: columns)
    let message = MessageBuffer(count: count)
    let written = values.withUnsafeBufferPointer { format.encode($0, columns: columns, into: message.bytes) }
    #expect(written == count)
    var result = [Float](repeating: .nan, count: values.count)
    result.withUnsafeMutableBufferPointer {
      format.decode(UnsafeRawBufferPointer(message.bytes), columns: columns, into: $0)
    }
    return result
  }

  /// Values of many magnitudes and both signs.
  private func values(_ count: Int) -> [Float] {
    var generator = SeededGenerator(seed: 1)
    return (0..<count).map { _ in
      let exponent = Float(generator.below(40) - 20)
      return Float(generator.unit() * 2 - 1) * Float.exp2(exponent)
    }
  }

  @Test func byteCounts() {
    #expect(WireFormat.float32.byteCount(rows: 3, columns: 5) == 60)
    #expect(WireFormat.bfloat16.byteCount(rows: 3, columns: 5) == 30)
    #expect(WireFormat.int8.byteCount(rows: 3, columns: 5) == 27)
    for format in WireFormat.allCases { #expect(format.byteCount(rows: 0, columns: 5) == 0) }
  }

  @Test func float32IsExact() {
    let values = values(999) + [.infinity, -0.0, .leastNonzeroMagnitude]
    #expect(roundTrip(values, columns: 3, .float32).map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test func bfloat16IsWithinHalfAUnit() {
    let values = values(1000)
    for (value, result) in zip(values, roundTrip(values, columns: 10, .bfloat16)) {
      #expect(abs(result - value) <= abs(value) * 0x1p-8)
    }
  }

  @Test func bfloat16RoundsTiesToEvenAndKeepsWhatIsNoNumber() {
    let cases: [(Float, Float)] = [
      (1 + 0x1p-8, 1), (1 + 3 * 0x1p-8, 1 + 0x1p-6), (1 + 0x1p-8 + 0x1p-20, 1 + 0x1p-7),
      (-1 - 0x1p-8, -1), (0, 0), (-0.0, -0.0), (.infinity, .infinity), (-.infinity, -.infinity),
      (.greatestFiniteMagnitude, .infinity), (0x1.fep127, 0x1.fep127),
    ]
    let results = roundTrip(cases.map(\.0), columns: 1, .bfloat16)
    #expect(results.map(\.bitPattern) == cases.map(\.1.bitPattern))
    // A NaN whose bits would round up to infinity, and one whose upper half is that of infinity.
    let strange = [Float(bitPattern: 0x7FFF_FFFF), Float(bitPattern: 0x7F80_0001), .nan]
    #expect(roundTrip(strange, columns: 1, .bfloat16).allSatisfy { $0.isNaN })
  }

  @Test func everyBfloat16SurvivesUnchanged() {
    let values = (0...UInt32(UInt16.max)).map { Float(bitPattern: $0 << 16) }.filter { !$0.isNaN }
    #expect(roundTrip(values, columns: 1, .bfloat16).map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test func int8IsWithinHalfAStepOfItsRow() {
    let values = values(4000)
    let results = roundTrip(values, columns: 40, .int8)
    for row in stride(from: 0, to: values.count, by: 40) {
      let largest = values[row..<row + 40].map(abs).max() ?? 0
      let step = largest / 127
      for index in row..<row + 40 {
        #expect(abs(results[index] - values[index]) <= step / 2 * (1 + 0x1p-20))
      }
    }
  }

  @Test func int8RowsAreIndependent() {
    let results = roundTrip([0, 0, 127, -3, .nan, 1, .infinity, 2, 0x1p-133, -0x1p-149], columns: 2, .int8)
    #expect(Array(results[..<4]) == [0, 0, 127, -3])
    #expect(results[4...7].allSatisfy { $0.isNaN })
    // Steps are never subnormal, so tiny rows lose at most 2⁻¹²⁷.
    #expect(results[8...].allSatisfy { abs($0) <= 0x1p-126 })
  }
}

extension Float {
  fileprivate static func exp2(_ exponent: Float) -> Float {
    Float(sign: .plus, exponent: Int(exponent), significand: 1)
  }
}
