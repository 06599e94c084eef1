/// The words of a text with single spaces between them, and without invisible characters: texts for which this is
/// the same look the same.
package func normalizedSpace(_ text: String) -> String {
  // Most texts are plain, and this is called for every option of every episode.
  var previous: UInt8 = 0x20
  let isPlain = text.utf8.allSatisfy { byte in
    defer { previous = byte }
    return byte > 0x20 && byte < 0x7F || byte == 0x20 && previous != 0x20
  }
  if isPlain, previous != 0x20 { return text }
  let visible = text.unicodeScalars.filter { $0.properties.generalCategory != .format }
  return String(String.UnicodeScalarView(visible)).split(whereSeparator: \.isWhitespace).joined(
    separator: " ")
}
