/// The classes of scalars that the pre-tokenisers' patterns distinguish.
package enum ScalarClass: UInt8 {
  /// `\p{L}`.
  case letter
  /// `\p{N}`: decimal digits, letter numbers, other numbers.
  case number
  /// `\s`: the property White_Space.
  case space
  /// Everything else: marks, punctuation, symbols, format characters, unassigned scalars.
  case other

  init(ascii byte: UInt8) {
    switch byte {
    case 0x61...0x7A, 0x41...0x5A: self = .letter
    case 0x20, 0x09...0x0D: self = .space
    case 0x30...0x39: self = .number
    default: self = .other
    }
  }

  package init(_ scalar: Unicode.Scalar) {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    case .spaceSeparator, .lineSeparator, .paragraphSeparator: self = .space
    case .control: self = scalar.value == 0x85 || (0x09...0x0D).contains(scalar.value) ? .space : .other
    default: self = .other
    }
  }
}

/// A scalar's class and its length in UTF-8.
struct ClassifiedScalar {
  var kind: ScalarClass
  var length: Int
}

/// Reads valid UTF-8 scalar by scalar.
struct ScalarReader {
  let bytes: UnsafeBufferPointer<UInt8>

  var end: Int { bytes.count }

  /// The scalar that starts at `position` and its length in bytes.
  @inline(__always)
  func scalar(at position: Int) -> (scalar: Unicode.Scalar, length: Int) {
    let lead = UInt32(bytes[position])
    var value = lead
    var length = 1
    if lead >= 0xF0 {
      value = (lead & 0x07) << 18 | trail(position + 1) << 12 | trail(position + 2) << 6 | trail(position + 3)
      length = 4
    } else if lead >= 0xE0 {
      value = (lead & 0x0F) << 12 | trail(position + 1) << 6 | trail(position + 2)
      length = 3
    } else if lead >= 0x80 {
      value = (lead & 0x1F) << 6 | trail(position + 1)
      length = 2
    }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
  }

  @inline(__always)
  private func trail(_ position: Int) -> UInt32 { UInt32(bytes[position] & 0x3F) }

  /// The class and length of the scalar at `position`; `nil` at the end.
  @inline(__always)
  func classified(at position: Int) -> ClassifiedScalar? {
    guard position < bytes.count else { return nil }
    let byte = bytes[position]
    if byte < 0x80 { return ClassifiedScalar(kind: ScalarClass(ascii: byte), length: 1) }
    let (scalar, length) = scalar(at: position)
    return ClassifiedScalar(kind: ScalarClass(scalar), length: length)
  }

  /// The end of the run of scalars of class `kind` that starts at `position`.
  @inline(__always)
  func endOfRun(of kind: ScalarClass, from position: Int) -> Int {
    var position = position
    while let next = classified(at: position), next.kind == kind { position += next.length }
    return position
  }
}
