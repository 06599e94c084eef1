/// GPT-2's byte-level alphabet: every byte is represented by one printable scalar.
///
/// The bytes 33…126, 161…172 and 174…255 map to the scalar with the same number; the other 68 bytes map to
/// U+0100, U+0101, … in ascending order. A space therefore becomes `Ġ` and a line feed `Ċ`.
enum ByteAlphabet {
  /// The scalar for each byte; 256 entries.
  static let scalars: [UInt32] = {
    var next: UInt32 = 256
    return (UInt32(0)..<256).map { byte in
      switch byte {
      case 33...126, 161...172, 174...255: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  /// The byte for each scalar below U+0144; `0xFFFF` for scalars outside the alphabet.
  static let bytes: [UInt16] = {
    var table = [UInt16](repeating: 0xFFFF, count: 324)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = UInt16(byte) }
    return table
  }()

  /// Appends the bytes that a spelling represents.
  ///
  /// - Returns: `false`, with `output` unchanged, if a scalar is outside the alphabet.
  static func decode(_ spelling: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) -> Bool {
    let start = output.count
    var i = 0
    while i < spelling.count {
      let lead = spelling[i]
      var scalar = Int(lead)
      i += 1
      if lead >= 0x80 {
        guard lead < 0xE0, i < spelling.count else {
          output.removeSubrange(start...)
          return false
        }
        scalar = Int(lead & 0x1F) << 6 | Int(spelling[i] & 0x3F)
        i += 1
      }
      guard scalar < 324, bytes[scalar] != 0xFFFF else {
        output.removeSubrange(start...)
        return false
      }
      output.append(UInt8(truncatingIfNeeded: bytes[scalar]))
    }
    return true
  }

  /// The spelling of a byte string.
  static func spell(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes {
      if let scalar = Unicode.Scalar(scalars[Int(byte)]) { text.append(scalar) }
    }
    return String(text)
  }
}

/// Calls `body` with the UTF-8 bytes of `text`, without a copy if the string is contiguous.
@inline(__always)
func withUTF8<Result>(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows
  -> Result
{
  var text = text
  return try text.withUTF8(body)
}
