/// Converts between float32 and the two 16-bit formats by their bit patterns.
///
/// The conversions use integer operations and selects, so that loops over them vectorise on every processor.
/// `Float16` would call a library function on processors without a conversion instruction.
package enum FloatConversion {
  /// IEEE 754 binary16 to float32, exact, including subnormals, infinities and NaN.
  @inlinable @inline(__always)
  package static func float32(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7fff) << 13
    let sign = UInt32(bits & 0x8000) << 16
    // For normal numbers, the exponent bias changes from 15 to 127; infinities and NaN get exponent 255.
    let normal = magnitude &+ (112 << 23)
    let special = magnitude | (255 << 23)
    // The mantissa of a subnormal becomes the fraction of 2^-14, which is then subtracted.
    let small = Float(bitPattern: magnitude &+ (113 << 23)) - Float(bitPattern: 113 << 23)
    let exponent = bits & 0x7c00
    let finite = exponent == 0 ? small.bitPattern : normal
    return Float(bitPattern: (exponent == 0x7c00 ? special : finite) | sign)
  }

  /// bfloat16 to float32, exact.
  @inlinable @inline(__always)
  package static func float32(brain bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// float32 to bfloat16, rounded to nearest, ties to even. NaN becomes a quiet NaN.
  @inlinable @inline(__always)
  package static func brain(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16
    let quiet = (bits >> 16) | 0x40
    return UInt16(truncatingIfNeeded: (bits & 0x7fff_ffff) > 0x7f80_0000 ? quiet : rounded)
  }

  /// float32 to binary16, rounded to nearest, ties to even. Overflow gives infinity; NaN becomes a quiet NaN.
  package static func half(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: (bits >> 16) & 0x8000)
    let magnitude = bits & 0x7fff_ffff
    if magnitude > 0x7f80_0000 {
      return sign | 0x7e00 | UInt16(truncatingIfNeeded: (magnitude >> 13) & 0x3ff)
    }
    // 65520 is halfway between the largest finite value, 65504, and 2^16.
    if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
    if magnitude < 0x3880_0000 {
      // Below 2^-14: after adding 0.5, the last mantissa bit is worth 2^-24; the addition rounds to even.
      let shifted = Float(bitPattern: magnitude) + 0.5
      return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- Float(0.5).bitPattern)
    }
    let rebiased = magnitude &- (112 << 23)
    let rounded = (rebiased &+ 0xfff &+ ((rebiased >> 13) & 1)) >> 13
    return sign | UInt16(truncatingIfNeeded: rounded)
  }

  /// Rounds `count` float32 values to bfloat16.
  package static func brain(
    _ source: UnsafePointer<Float>, count: Int, into target: UnsafeMutablePointer<UInt16>
  ) {
    for index in 0..<count { target[index] = brain(source[index]) }
  }

  /// Converts `count` little-endian binary16 values, with any alignment, to float32.
  package static func float32(
    halves source: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for index in 0..<count {
      target[index] = float32(half: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
    }
  }

  /// Converts `count` little-endian bfloat16 values, with any alignment, to float32.
  package static func float32(
    brains source: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for index in 0..<count {
      target[index] = float32(brain: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
    }
  }
}
