import Checkpoint
import Foundation
import Testing

@Suite struct QuantizationTests {
  let file: GGUFFile
  let expected: SafetensorsFile

  init() throws {
    file = try GGUFFile(fixture("quantized.gguf"))
    expected = try SafetensorsFile(fixture("quantized-expected.safetensors"))
  }

  @Test(arguments: GGUFTensorType.readable)
  func valuesEqualTheReferenceImplementation(_ type: GGUFTensorType) throws {
    let found = try values(file, type.description)
    let wanted = try expected.float32(type.description)
    #expect(found.count == wanted.count)
    let wrong = zip(found, wanted).enumerated().filter { !same($1.0, $1.1) }
    #expect(wrong.isEmpty, "first: \(String(describing: wrong.first))")
  }

  @Test(arguments: GGUFTensorType.readable)
  func everyRowRangeEqualsThePartOfTheWhole(_ type: GGUFTensorType) throws {
    let tensor = try #require(file.tensor(type.description))
    let whole = try values(file, type.description)
    for first in 0..<tensor.rowCount {
      for end in first..<tensor.rowCount + 1 {
        var part = [Float](repeating: .pi, count: (end - first) * tensor.rowLength + 1)
        try part.withUnsafeMutableBufferPointer {
          try file.dequantize(tensor, rows: first..<end, into: #require($0.baseAddress))
        }
        #expect(part.removeLast() == .pi, "wrote past the end")
        let slice = whole[first * tensor.rowLength..<end * tensor.rowLength]
        #expect(zip(part, slice).allSatisfy(same))
      }
    }
  }

  @Test(arguments: GGUFTensorType.readable)
  func bfloat16EqualsRoundedFloat32(_ type: GGUFTensorType) throws {
    let tensor = try #require(file.tensor(type.description))
    var found = [UInt16](repeating: 0, count: tensor.count)
    try found.withUnsafeMutableBufferPointer {
      try file.dequantize(tensor, rows: 0..<tensor.rowCount, intoBFloat16: #require($0.baseAddress))
    }
    for (bits, value) in zip(found, try values(file, type.description)) {
      // A BF16 tensor is copied: a signalling NaN is not made quiet.
      #expect(bits == FloatConversion.brain(value) || value.isNaN)
      #expect(FloatConversion.float32(brain: bits).isNaN == value.isNaN)
    }
  }

  @Test func roundingEqualsTheReferenceImplementation() throws {
    let brains: [UInt16] = try expected.integers("round.bfloat16")
    #expect(try expected.float32("round.input").map { FloatConversion.brain($0) } == brains)
    let halves: [UInt16] = try expected.integers("round.half")
    #expect(try expected.float32("round.half.input").map(FloatConversion.half) == halves)
    #expect(FloatConversion.float32(brain: FloatConversion.brain(.nan)).isNaN)
    #expect(FloatConversion.float32(half: FloatConversion.half(.nan)).isNaN)
  }

  @Test func everyHalfComesBackFromFloat32() {
    for bits in UInt16.min...UInt16.max {
      let value = FloatConversion.float32(half: bits)
      if value.isNaN {
        #expect(bits & 0x7fff > 0x7c00)
      } else {
        #expect(FloatConversion.half(value) == bits)
      }
    }
  }

  @Test func anUnsupportedQuantisationIsRefusedByName() throws {
    let error = fileError { _ = try values(file, "IQ4_NL") }
    #expect(error?.kind == .unsupported)
    #expect(error?.problem == "quantisation IQ4_NL is not supported")
    #expect(error?.remedy.contains("Q4_K") == true)
  }

  /// Times every kernel on enough blocks for a few milliseconds; the tests above check the values. The times
  /// are printed but not checked, since machines are shared.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["CONTEXTURE_BENCHMARK"] != nil))
  func speedOfTheKernels() throws {
    let rows = 512
    for type in GGUFTensorType.readable {
      let layout = try #require(type.layout)
      var generator = SeededGenerator(7)
      let count = rows * 4096 / layout.valuesPerBlock * layout.bytesPerBlock
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...0x3f, using: &generator) }
      let writer = GGUFWriter.encode(
        metadata: [], tensors: [.init(name: "t", shape: [rows, 4096], type: type, bytes: bytes)])
      let file = try GGUFFile(guardedFile(writer))
      let tensor = try #require(file.tensor("t"))
      var floats = [Float](repeating: 0, count: tensor.count)
      var brains = [UInt16](repeating: 0, count: tensor.count)
      let clock = ContinuousClock()
      var best = (Duration.seconds(9), Duration.seconds(9))
      for _ in 0..<7 {
        let first = try clock.measure { try file.dequantize(tensor, rows: 0..<rows, into: &floats) }
        let second = try clock.measure { try file.dequantize(tensor, rows: 0..<rows, intoBFloat16: &brains) }
        best = (min(best.0, first), min(best.1, second))
      }
      let rates = [best.0, best.1].map { Double(tensor.count) / ($0 / .seconds(1)) / 1e6 }
      print("\(type): float32 \(Int(rates[0])) M values/s, bfloat16 \(Int(rates[1])) M values/s")
    }
  }
}
