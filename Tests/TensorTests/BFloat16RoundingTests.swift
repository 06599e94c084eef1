import CKernels
import Testing

/// Conversion of every bfloat16 pattern, and rounding at and next to every tie.
struct BFloat16RoundingTests {
  static let patterns = (0...UInt16.max).map { $0 }

  private func isNaN(_ pattern: UInt16) -> Bool { pattern & 0x7fff > 0x7f80 }

  private func narrow(_ bits: [UInt32], _ table: KernelTable) -> [UInt16] {
    var result = [UInt16](repeating: 0, count: bits.count)
    table.kernels.narrow_bf16(bits.map { Float(bitPattern: $0) }, bits.count, 1, &result)
    return result
  }

  @Test(arguments: KernelTable.all)
  func wideningIsExact(_ table: KernelTable) {
    var wide = [Float](repeating: 1, count: Self.patterns.count)
    table.kernels.widen_bf16(Self.patterns, wide.count, &wide)
    #expect(zip(Self.patterns, wide).allSatisfy { $1.bitPattern == UInt32($0) << 16 })
  }

  /// Zeros, subnormals, infinities and all other numbers are unchanged; a NaN stays a NaN, with its sign.
  @Test(arguments: KernelTable.all)
  func everyPatternSurvives(_ table: KernelTable) {
    let back = narrow(Self.patterns.map { UInt32($0) << 16 }, table)
    let wrong = zip(Self.patterns, back).filter { before, after in
      isNaN(before) ? !isNaN(after) || before >> 15 != after >> 15 : before != after
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(3))")
  }

  /// Between two neighbours, a tie rounds to the one with last bit 0, anything else to the nearer one; beyond
  /// the largest number, to infinity.
  @Test(arguments: KernelTable.all)
  func tiesGoToEven(_ table: KernelTable) {
    let finite = Self.patterns.filter { $0 & 0x7fff < 0x7f80 }
    let below = narrow(finite.map { UInt32($0) << 16 | 0x7fff }, table)
    let middle = narrow(finite.map { UInt32($0) << 16 | 0x8000 }, table)
    let above = narrow(finite.map { UInt32($0) << 16 | 0x8001 }, table)
    let wrong = finite.indices.filter { index in
      let pattern = finite[index]
      return below[index] != pattern || middle[index] != pattern + pattern % 2
        || above[index] != pattern + 1
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(3).map { finite[$0] })")
    #expect(narrow([0x7f7f_8000, 0xff7f_ffff], table) == [0x7f80, 0xff80])
  }

  /// A NaN with a payload only in the lower half must not become infinity, nor carry into the sign.
  @Test(arguments: KernelTable.all)
  func everyNaNStaysNaN(_ table: KernelTable) {
    let payloads: [UInt32] = [0x7f80_0001, 0x7f80_8000, 0x7fff_ffff, 0xff80_0001, 0xffff_ffff, 0x7fc0_0000]
    let narrowed = narrow(payloads, table)
    #expect(zip(payloads, narrowed).allSatisfy { isNaN($1) && UInt32($1 >> 15) == $0 >> 31 })
  }
}
