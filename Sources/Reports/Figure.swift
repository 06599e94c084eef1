import Foundation

/// A drawing with a title and a legend, to be put into a page or into a file of its own.
package struct Figure: Sendable {
  /// A name in the legend with the number of its colour.
  struct Key: Sendable {
    var name: String
    var colour: Int
  }

  /// What it shows.
  package let title: String
  let width, height: Double
  /// SVG elements.
  let body: [String]
  /// Of one name, it says nothing.
  let legend: [Key]

  /// For a page: the legend is below the picture, and wraps on narrow screens.
  var html: String {
    let keys =
      legend.count > 1
      ? legend.map {
        "<span class=\"key\"><i class=\"swatch c\($0.colour % SVG.colours)\"></i>\(HTML.text($0.name))</span>"
      }.joined() : ""
    return "<figure>\(SVG.picture(width, height, title: title, body))"
      + "<figcaption>\(keys) \(HTML.text(title))</figcaption></figure>"
  }

  /// An SVG file that needs nothing else. It has light and dark colours.
  package var file: String {
    let (head, row) = (30.0, 22.0)
    var parts = [
      "<rect width=\"100%\" height=\"100%\" class=\"paper\"/>",
      SVG.label(12, 20, title, css: "title"),
      "<g transform=\"translate(0 \(SVG.at(head)))\">" + body.joined(separator: "\n") + "</g>",
    ]
    var (x, y) = (12.0, head + height + 14)
    for key in legend.count > 1 ? legend : [] {
      let needed = 30 + 7.2 * Double(key.name.count)
      if x > 12, x + needed > width { (x, y) = (12, y + row) }
      parts.append(
        "<rect x=\"\(SVG.at(x))\" y=\"\(SVG.at(y - 10))\" width=\"12\" height=\"12\" rx=\"2\" "
          + "class=\"bar c\(key.colour % SVG.colours)\"/>" + SVG.label(x + 17, y, key.name))
      x += needed
    }
    let total = legend.count > 1 ? y + 12 : head + height + 6
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(SVG.at(width)) \(SVG.at(total))\" "
      + "width=\"\(SVG.at(width))\" height=\"\(SVG.at(total))\" role=\"img\">"
      + "<title>\(HTML.text(title))</title>\n<style>\(Palette.colours)\n\(Palette.shapes)\n"
      + ".paper{fill:var(--bg)}svg .title{font-size:14px;font-weight:600}</style>\n"
      + parts.joined(separator: "\n") + "\n</svg>\n"
  }
}
