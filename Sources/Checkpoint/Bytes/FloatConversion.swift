/// Conversions between float32 and the two 16-bit formats, by their bit patterns.
///
/// They are written with integer operations and selects so that loops over them vectorise on every
/// processor; `Float16` would call a library function where the processor has no conversion instruction.
package enum FloatConversion {
  /// IEEE 754 binary16 to float32, exact; subnormals, infinities and NaN included.
  @inlinable @inline(__always)
  package static func float32(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7fff) << 13
    let sign = UInt32(bits & 0x8000) << 16
    // Normal numbers move their exponent bias from 15 to 127, infinities and NaN on to 255.
    let normal = magnitude &+ (112 << 23)
    let special = magnitude | (255 << 23)
    // A subnormal's mantissa becomes the fraction of 2^-14, from which 2^-14 is subtracted again.
    let small = Float(bitPattern: magnitude &+ (113 << 23)) - Float(bitPattern: 113 << 23)
    let exponent = bits & 0x7c00
    let finite = exponent == 0 ? small.bitPattern : normal
    return Float(bitPattern: (exponent == 0x7c00 ? special : finite) | sign)
  }

  /// bfloat16 to float32, exact.
  @inlinable @inline(__always)
  package static func float32(brain bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// float32 to bfloat16, rounded to nearest, ties to even; NaN stays NaN (quiet).
  @inlinable @inline(__always)
  package static func brain(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16
    let quiet = (bits >> 16) | 0x40
    return UInt16(truncatingIfNeeded: (bits & 0x7fff_ffff) > 0x7f80_0000 ? quiet : rounded)
  }

  /// float32 to binary16, rounded to nearest, ties to even; overflow gives infinity, NaN stays NaN (quiet).
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
      // Below 2^-14: adding 0.5 puts units of 2^-24 into the last place; the addition rounds to even.
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

  /// Converts `count` little-endian binary16 values, of any alignment, to float32.
  package static func float32(
    halves source: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for index in 0..<count {
      target[index] = float32(half: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
    }
  }

  /// Converts `count` little-endian bfloat16 values, of any alignment, to float32.
  package static func float32(
    brains source: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for index in 0..<count {
      target[index] = float32(brain: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
    }
  }
}
