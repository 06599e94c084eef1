/// Dequantizes the K-quants: blocks of 256 values, split into sub-blocks with their own scales.
///
/// | type | bytes of a block | sub-block | value |
/// |---|---|---|---|
/// | Q2_K | 16 × (scale 4 bits, minimum 4), 64 × 4 values, d f16, dmin f16 | 16 | (d s) q - (dmin m) |
/// | Q3_K | 32 × 8 high bits, 64 × 4 values, 16 6-bit scales, d f16 | 16 | (d (s - 32)) (q - 4 unless high) |
/// | Q4_K | d f16, dmin f16, 8 scales and 8 minima of 6 bits, 128 × 2 values | 32 | (d s) q - (dmin m) |
/// | Q5_K | as Q4_K with 32 × 8 fifth bits before the values | 32 | (d s) q - (dmin m) |
/// | Q6_K | 128 × 2 low nibbles, 64 × 4 high pairs, 16 × int8 scale, d f16 | 16 | (d s) (q - 32) |
///
/// Products are rounded in the given order, as in the format's reference implementation.
enum SuperBlocks {
  static func q2_K(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let scales = source + block * 84
      let values = scales + 16
      let scale = SmallBlocks.half(scales + 80)
      let minimum = SmallBlocks.half(scales + 82)
      var out = target + block * 256
      for group in 0..<16 {
        // Each group of 128 values shares 32 bytes; each byte contains one value of every 32.
        let low = values + ((group >> 3) * 32 + (group & 1) * 16)
        let shift = UInt8(truncatingIfNeeded: (group & 6))
        let s = scale * Float(Int32(scales[group] & 15))
        let m = minimum * Float(Int32(scales[group] >> 4))
        for index in 0..<16 {
          let value: UInt8 = (low[index] &>> shift) & 3
          out[index] = s * Float(Int32(value)) - m
        }
        out += 16
      }
    }
  }

  static func q3_K(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let high = source + block * 110
      let values = high + 32
      let scales = high + 96
      let scale = SmallBlocks.half(high + 108)
      var out = target + block * 256
      for group in 0..<16 {
        let low = values + ((group >> 3) * 32 + (group & 1) * 16)
        let shift = UInt8(truncatingIfNeeded: (group & 6))
        let bit = UInt8(truncatingIfNeeded: group &>> 1)
        let highPart = high + (group & 1) * 16
        let s = scale * Float(scale6(scales, group) &- 32)
        for index in 0..<16 {
          let value: UInt8 = (low[index] &>> shift) & 3
          let highBit: UInt8 = (highPart[index] &>> bit) & 1
          let signed = Int32(value | (highBit &<< 2)) &- 4
          out[index] = s * Float(signed)
        }
        out += 16
      }
    }
  }

  /// One of Q3_K's 16 six-bit scales: the low nibbles are in 8 bytes, followed by the high pairs in 4.
  @inline(__always)
  private static func scale6(_ scales: UnsafePointer<UInt8>, _ group: Int) -> Int32 {
    let low: UInt8 = (scales[group & 7] &>> UInt8(truncatingIfNeeded: (group >> 3) * 4)) & 15
    let high: UInt8 = (scales[8 + (group & 3)] &>> UInt8(truncatingIfNeeded: (group >> 2) * 2)) & 3
    return Int32(low | (high &<< 4))
  }

  static func q4_K(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 144
      let scale = SmallBlocks.half(bytes)
      let minimum = SmallBlocks.half(bytes + 2)
      var out = target + block * 256
      for group in 0..<8 {
        let low = bytes + (16 + (group >> 1) * 32)
        let shift = UInt8(truncatingIfNeeded: (group & 1) &* 4)
        let (s6, m6) = scaleAndMinimum(bytes + 4, group)
        let s = scale * Float(s6)
        let m = minimum * Float(m6)
        for index in 0..<32 {
          let value: UInt8 = (low[index] &>> shift) & 15
          out[index] = s * Float(Int32(value)) - m
        }
        out += 32
      }
    }
  }

  static func q5_K(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 176
      let fifth = bytes + 16
      let scale = SmallBlocks.half(bytes)
      let minimum = SmallBlocks.half(bytes + 2)
      var out = target + block * 256
      for group in 0..<8 {
        let low = bytes + (48 + (group >> 1) * 32)
        let shift = UInt8(truncatingIfNeeded: (group & 1) &* 4)
        let bit = UInt8(truncatingIfNeeded: group)
        let (s6, m6) = scaleAndMinimum(bytes + 4, group)
        let s = scale * Float(s6)
        let m = minimum * Float(m6)
        for index in 0..<32 {
          let value: UInt8 = (low[index] &>> shift) & 15
          let highBit: UInt8 = (fifth[index] &>> bit) & 1
          out[index] = s * Float(Int32(value | (highBit &<< 4))) - m
        }
        out += 32
      }
    }
  }

  /// One of the 8 six-bit scales and minima in the 12 bytes of Q4_K and Q5_K. The first four are in the low
  /// six bits of bytes 0–3 (scales) and 4–7 (minima). The last four have their low nibbles in bytes 8–11 and
  /// their high pairs in the upper two bits of bytes 0–7.
  @inline(__always)
  private static func scaleAndMinimum(_ scales: UnsafePointer<UInt8>, _ group: Int) -> (Int32, Int32) {
    if group < 4 { return (Int32(scales[group] & 63), Int32(scales[group + 4] & 63)) }
    let both = scales[group + 4]
    let scaleHigh: UInt8 = (scales[group - 4] &>> 6) &<< 4
    let minimumHigh: UInt8 = (scales[group] &>> 6) &<< 4
    return (Int32((both & 15) | scaleHigh), Int32((both &>> 4) | minimumHigh))
  }

  static func q6_K(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 210
      let scale = SmallBlocks.half(bytes + 208)
      var out = target + block * 256
      for group in 0..<16 {
        // One half of the block: 64 bytes of low nibbles and 32 bytes of high pairs.
        let half = group >> 3
        let part = (group >> 1) & 3
        let within = (group & 1) * 16
        let low = bytes + (half * 64 + (part & 1) * 32 + within)
        let high = bytes + (128 + half * 32 + within)
        let lowShift = UInt8(truncatingIfNeeded: (part &>> 1) &* 4)
        let highShift = UInt8(truncatingIfNeeded: part &* 2)
        let s = scale * Float(Int32(Int8(bitPattern: bytes[192 + group])))
        for index in 0..<16 {
          let value: UInt8 = (low[index] &>> lowShift) & 15
          let pair: UInt8 = (high[index] &>> highShift) & 3
          out[index] = s * Float(Int32(value | (pair &<< 4)) &- 32)
        }
        out += 16
      }
    }
  }
}
