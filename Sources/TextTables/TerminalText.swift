/// Text that may come from a file, made safe to show.
///
/// A terminal obeys control characters: a task's name could move the cursor, hide a line or set the window's
/// title. Overrides of the writing direction could show a text other than the one that is there.
package enum TerminalText {
  /// The text with control characters and overrides of the writing direction as `\uXXXX`, which is right inside
  /// the strings of JSON, too. Line breaks and tabs stay.
  package static func safe(_ text: String) -> String {
    // In UTF-8: C0, DEL, the first byte of C1, and that of U+2000 to U+2FFF.
    let isPlain = text.utf8.allSatisfy {
      $0 >= 0x20 && $0 != 0x7F && $0 != 0xC2 && $0 != 0xE2 || $0 == 0x0A || $0 == 0x09
    }
    if isPlain { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isUnsafe(scalar) {
        append(scalar, to: &result)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The text in one line: also line breaks and tabs become escapes. Of a long text the middle is left out,
  /// because a message has the place at its start and the remedy at its end.
  ///
  /// - Parameter longest: the length that is shown whole, in characters.
  package static func line(_ text: String, longest: Int = 1000) -> String {
    var shown = text
    if text.utf8.count > longest, text.count > longest {
      let end = text.suffix(longest * 2 / 5)
      let start = text.prefix(longest - end.count)
      shown = "\(start)… [\(text.count - longest) characters] …\(end)"
    }
    guard shown.utf8.contains(where: { $0 < 0x20 || $0 == 0xE2 }) else { return safe(shown) }
    var result = ""
    for scalar in safe(shown).unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\u{2028}", "\u{2029}": append(scalar, to: &result)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  private static func append(_ scalar: Unicode.Scalar, to text: inout String) {
    let digits = String(scalar.value, radix: 16)
    text += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
