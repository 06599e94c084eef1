/// Dequantizes the types with blocks of 32 values.
///
/// | type | bytes of a block | value |
/// |---|---|---|
/// | Q4_0 | d f16, 16 × (low nibble: value i, high nibble: value i + 16) | d (q - 8) |
/// | Q4_1 | d f16, m f16, 16 as Q4_0 | d q + m |
/// | Q5_0 | d f16, 32 fifth bits (bit i: value i), 16 as Q4_0 | d (q - 16) |
/// | Q5_1 | d f16, m f16, fifth bits, 16 as Q4_0 | d q + m |
/// | Q8_0 | d f16, 32 × int8 | d q |
///
/// `source` points to `count` blocks; `target` receives 32 · `count` values. Products are rounded before sums
/// (no fused multiply-add), as in the format's reference implementation, so the results are bit-identical.
enum SmallBlocks {
  static func q4_0(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 18
      let out = target + block * 32
      let scale = half(bytes)
      nibbles(bytes + 2, out) { scale * Float($0 &- 8) }
    }
  }

  static func q4_1(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 20
      let out = target + block * 32
      let scale = half(bytes)
      let minimum = half(bytes + 2)
      nibbles(bytes + 4, out) { scale * Float($0) + minimum }
    }
  }

  static func q5_0(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 22
      let out = target + block * 32
      let scale = half(bytes)
      fiveBits(high: bytes + 2, low: bytes + 6, out) { scale * Float($0 &- 16) }
    }
  }

  static func q5_1(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 24
      let out = target + block * 32
      let scale = half(bytes)
      let minimum = half(bytes + 2)
      fiveBits(high: bytes + 4, low: bytes + 8, out) { scale * Float($0) + minimum }
    }
  }

  static func q8_0(_ source: UnsafePointer<UInt8>, _ count: Int, _ target: UnsafeMutablePointer<Float>) {
    for block in 0..<count {
      let bytes = source + block * 34
      let out = target + block * 32
      let scale = half(bytes)
      for index in 0..<32 {
        out[index] = scale * Float(Int32(Int8(bitPattern: bytes[2 &+ index])))
      }
    }
  }

  /// Reads a binary16 value at any alignment.
  @inline(__always)
  static func half(_ bytes: UnsafePointer<UInt8>) -> Float {
    FloatConversion.float32(half: UInt16(bytes[0]) | UInt16(bytes[1]) << 8)
  }

  @inline(__always)
  private static func nibbles(
    _ bytes: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>, _ value: (Int32) -> Float
  ) {
    for index in 0..<16 { out[index] = value(Int32(bytes[index] & 15)) }
    for index in 0..<16 { out[16 &+ index] = value(Int32(bytes[index] >> 4)) }
  }

  @inline(__always)
  private static func fiveBits(
    high: UnsafePointer<UInt8>, low: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<Float>,
    _ value: (Int32) -> Float
  ) {
    let bits = UnsafeRawPointer(high).loadUnaligned(as: UInt32.self).littleEndian
    for index in 0..<16 {
      let fifth = Int32(truncatingIfNeeded: (bits &>> UInt32(truncatingIfNeeded: index)) & 1) &<< 4
      out[index] = value(Int32(low[index] & 15) | fifth)
    }
    for index in 0..<16 {
      let fifth = Int32(truncatingIfNeeded: (bits &>> UInt32(truncatingIfNeeded: index &+ 16)) & 1) &<< 4
      out[16 &+ index] = value(Int32(low[index] >> 4) | fifth)
    }
  }
}
