/// Text for HTML and SVG.
enum HTML {
  /// A text with the characters that have a meaning in HTML escaped, and control characters replaced.
  static func text(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      default:
        // Control characters and those that change the direction of text.
        let isHidden =
          scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
          || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
          // Not characters of XML, which SVG is.
          || (0xFFFE...0xFFFF).contains(scalar.value)
        if isHidden { result += "\u{FFFD}" } else { result.unicodeScalars.append(scalar) }
      }
    }
    return result
  }

  /// A table; the first row is its header.
  ///
  /// - Parameters:
  ///   - rows: cells as text.
  ///   - leading: the number of columns with text, which are left-aligned; numbers follow.
  static func table(_ rows: [[String]], leading: Int = 1) -> String {
    guard let header = rows.first else { return "" }
    func cells(_ row: [String], _ tag: String) -> String {
      row.enumerated().map { index, cell in
        "<\(tag)\(index < leading ? "" : " class=\"n\"")>\(text(cell))</\(tag)>"
      }.joined()
    }
    return "<div class=\"scroll\"><table><thead><tr>\(cells(header, "th"))</tr></thead><tbody>"
      + rows.dropFirst().map { "<tr>\(cells($0, "td"))</tr>" }.joined(separator: "\n")
      + "</tbody></table></div>"
  }

  /// A section with a title.
  static func section(_ title: String, _ body: String) -> String {
    "<section><h2>\(text(title))</h2>\n\(body)\n</section>\n"
  }

  static func paragraph(_ content: String) -> String { "<p>\(text(content))</p>" }
}
