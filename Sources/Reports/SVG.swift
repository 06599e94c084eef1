import Foundation

/// Numbers and coordinates in SVG.
enum SVG {
  /// The number of colours that ``ReportPage`` defines as classes `c0`, `c1` and so on.
  static let colours = 8

  /// A coordinate.
  static func at(_ value: Double) -> String {
    guard abs(value) < 1e7 else { return "0" }
    let rounded = (value * 10).rounded() / 10
    return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
  }

  static func label(
    _ x: Double, _ y: Double, _ text: String, anchor: String = "start", css: String = "tick"
  ) -> String {
    "<text x=\"\(at(x))\" y=\"\(at(y))\" text-anchor=\"\(anchor)\" class=\"\(css)\">\(HTML.text(text))</text>"
  }

  static func line(_ from: (Double, Double), _ to: (Double, Double), css: String) -> String {
    "<line x1=\"\(at(from.0))\" y1=\"\(at(from.1))\" x2=\"\(at(to.0))\" y2=\"\(at(to.1))\" class=\"\(css)\"/>"
  }

  /// A picture with a description for those who do not see it.
  static func picture(_ width: Double, _ height: Double, title: String, _ body: [String]) -> String {
    "<svg viewBox=\"0 0 \(at(width)) \(at(height))\" role=\"img\"><title>\(HTML.text(title))</title>\n"
      + body.joined(separator: "\n") + "\n</svg>"
  }

  /// Round values that divide a range into about four parts.
  static func ticks(_ range: ClosedRange<Double>) -> [Double] {
    let width = range.upperBound - range.lowerBound
    guard width > 0, width.isFinite else { return [range.lowerBound] }
    let rough = width / 4
    let power = pow(10, floor(log10(rough)))
    let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? rough
    let first = ceil(range.lowerBound / step - 1e-9)
    let last = floor(range.upperBound / step + 1e-9)
    guard last - first < 100 else { return [] }
    return stride(from: first, through: last, by: 1).map { $0 * step }
  }

  /// A number as short as it can be read.
  static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e7 { return String(Int(value)) }
    return String(format: "%.3g", value)
  }
}

/// A chart of lines over a common axis.
struct LineChart {
  struct Series {
    var name: String
    /// Finite, with x ascending.
    var points: [(x: Double, y: Double)]
    /// Half the height of the bar at each point; empty for none.
    var spreads: [Double] = []
    /// Whether points are marked.
    var isMarked = true
    /// The number of its colour.
    var colour: Int
  }

  /// A range of x with a name above it.
  struct Span {
    var name: String
    var range: ClosedRange<Double>
  }

  var title: String
  var x: String
  var y: String
  var series: [Series]
  var spans: [Span] = []
  /// The range of y; `nil` for that of the points, from 0.
  var range: ClosedRange<Double>?
  /// Whether y is a share, to be shown in percent.
  var isShare = false

  private static let (width, height) = (720.0, 300.0)
  private static let (left, right, top, bottom) = (52.0, 12.0, 30.0, 44.0)

  /// For a page; empty without points.
  var html: String { series.allSatisfy(\.points.isEmpty) ? "" : figure.html }

  /// The chart; without points, its axes.
  var figure: Figure {
    let points = series.flatMap(\.points)
    let xs = points.map(\.x) + spans.flatMap { [$0.range.lowerBound, $0.range.upperBound] }
    var (low, high) = (xs.min() ?? 0, xs.max() ?? 1)
    if low == high { (low, high) = (low - 1, high + 1) }
    let top = points.map(\.y).max() ?? 1
    let range = range ?? min(0, points.map(\.y).min() ?? 0)...(top > 0 ? top * 1.05 : 1)
    func px(_ x: Double) -> Double {
      Self.left + (x - low) / (high - low) * (Self.width - Self.left - Self.right)
    }
    func py(_ y: Double) -> Double {
      let share = (y - range.lowerBound) / (range.upperBound - range.lowerBound)
      return Self.height - Self.bottom - min(max(share, 0), 1) * (Self.height - Self.top - Self.bottom)
    }
    var body: [String] = []
    for (index, span) in spans.enumerated() {
      let (start, end) = (px(span.range.lowerBound), px(span.range.upperBound))
      if index % 2 == 0 {
        body.append(
          "<rect x=\"\(SVG.at(start))\" y=\"\(SVG.at(Self.top))\" width=\"\(SVG.at(max(end - start, 0)))\" "
            + "height=\"\(SVG.at(Self.height - Self.top - Self.bottom))\" class=\"band\"/>")
      }
      // A name that would run into the next one is left out.
      if end - start > 7 * Double(span.name.count) {
        body.append(SVG.label((start + end) / 2, Self.top - 8, span.name, anchor: "middle"))
      }
    }
    for tick in SVG.ticks(range) {
      body.append(SVG.line((Self.left, py(tick)), (Self.width - Self.right, py(tick)), css: "grid"))
      let text = isShare ? "\(SVG.number(100 * tick)) %" : SVG.number(tick)
      body.append(SVG.label(Self.left - 6, py(tick) + 4, text, anchor: "end"))
    }
    for tick in SVG.ticks(low...high) {
      body.append(SVG.label(px(tick), Self.height - Self.bottom + 18, SVG.number(tick), anchor: "middle"))
    }
    body.append(SVG.label((Self.left + Self.width) / 2, Self.height - 6, x, anchor: "middle", css: "axis"))
    body.append(SVG.label(4, 14, y, css: "axis"))
    for line in series where !line.points.isEmpty {
      let css = "c\(line.colour % SVG.colours)"
      let path = line.points.map { "\(SVG.at(px($0.x))),\(SVG.at(py($0.y)))" }.joined(separator: " ")
      body.append("<polyline points=\"\(path)\" class=\"line \(css)\"/>")
      for (index, point) in line.points.enumerated() {
        if line.spreads.indices.contains(index), line.spreads[index] > 0 {
          body.append(
            SVG.line(
              (px(point.x), py(point.y - line.spreads[index])),
              (px(point.x), py(point.y + line.spreads[index])),
              css: "line \(css)"))
        }
        if line.isMarked {
          body.append(
            "<circle cx=\"\(SVG.at(px(point.x)))\" cy=\"\(SVG.at(py(point.y)))\" r=\"3\" class=\"dot \(css)\"/>"
          )
        }
      }
    }
    var legend: [Figure.Key] = []
    for line in series where !legend.contains(where: { $0.name == line.name }) {
      legend.append(Figure.Key(name: line.name, colour: line.colour))
    }
    return Figure(title: title, width: Self.width, height: Self.height, body: body, legend: legend)
  }
}

/// A chart of horizontal bars with their spread.
struct BarChart {
  struct Bar {
    var name: String
    /// 0...1.
    var value: Double
    var spread: Double
    var colour: Int
  }

  var title: String
  var bars: [Bar]

  var figure: Figure {
    let (width, row, left, right) = (720.0, 26.0, 250.0, 96.0)
    let height = row * Double(bars.count) + 28
    func px(_ share: Double) -> Double { left + min(max(share, 0), 1) * (width - left - right) }
    var body: [String] = []
    for tick in [0, 0.25, 0.5, 0.75, 1] {
      body.append(SVG.line((px(tick), 4), (px(tick), height - 22), css: "grid"))
      body.append(SVG.label(px(tick), height - 6, "\(Int(100 * tick)) %", anchor: "middle"))
    }
    for (index, bar) in bars.enumerated() {
      let y = 6 + row * Double(index)
      body.append(SVG.label(left - 8, y + 14, shortened(bar.name), anchor: "end", css: "name"))
      body.append(
        "<rect x=\"\(SVG.at(left))\" y=\"\(SVG.at(y))\" width=\"\(SVG.at(px(bar.value) - left))\" "
          + "height=\"\(SVG.at(row - 8))\" class=\"bar c\(bar.colour % SVG.colours)\"/>")
      let text =
        String(format: "%.1f", 100 * bar.value)
        + (bar.spread > 0 ? String(format: " ± %.1f", 100 * bar.spread) : "")
      if bar.spread > 0 {
        let middle = y + (row - 8) / 2
        body.append(
          SVG.line((px(bar.value - bar.spread), middle), (px(bar.value + bar.spread), middle), css: "whisker")
        )
      }
      body.append(SVG.label(px(bar.value + bar.spread) + 6, y + 14, text))
    }
    return Figure(title: title, width: width, height: height, body: body, legend: [])
  }

  private func shortened(_ name: String) -> String {
    name.count > 36 ? String(name.prefix(35)) + "…" : name
  }
}
