/// How long one message of some size took over a directed link.
public struct LinkSample: Sendable, Hashable, Codable {
  /// The message's size in bytes.
  public let bytes: Int
  /// From the start of the sending to the end of the receiving, in seconds; a median.
  public let seconds: Double

  /// A measurement.
  public init(bytes: Int, seconds: Double) { (self.bytes, self.seconds) = (bytes, seconds) }
}

/// A line through a link's measurements: `seconds = latency + bytes / bandwidth`.
public struct LinkFit: Sendable, Hashable, Codable {
  /// Seconds before the first byte is there.
  public let latency: Double
  /// Bytes per second.
  public let bandwidth: Double
  /// The largest difference between the line and a measurement, as a share of that measurement.
  public let residual: Double

  /// The line with the least sum of squared *relative* errors, so that small messages count as much as large
  /// ones, among the lines with a latency and a time per byte that are not negative.
  ///
  /// Weighted least squares in closed form: with `w = 1/t²`, minimise `Σ w (latency + bytes · slope − t)²`.
  ///
  /// - Returns: `nil` without two sizes or with times that do not grow with size.
  public init?(_ samples: [LinkSample]) {
    guard Set(samples.map(\.bytes)).count >= 2, samples.allSatisfy({ $0.seconds > 0 }) else { return nil }
    var (w, wx, wxx, wt, wxt) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for sample in samples {
      let (x, t) = (Double(sample.bytes), sample.seconds)
      let weight = 1 / (t * t)
      w += weight
      wx += weight * x
      wxx += weight * x * x
      wt += weight * t
      wxt += weight * x * t
    }
    var slope = (w * wxt - wx * wt) / (w * wxx - wx * wx)
    var latency = (wt - slope * wx) / w
    if latency < 0 { (latency, slope) = (0, wxt / wxx) }
    guard slope > 0 else { return nil }
    (self.latency, bandwidth) = (latency, 1 / slope)
    let line = (latency, slope)
    residual =
      samples.map { abs(line.0 + Double($0.bytes) * line.1 - $0.seconds) / $0.seconds }.max() ?? 0
  }

  /// The seconds a message of some size takes.
  public func seconds(bytes: Int) -> Double { latency + Double(bytes) / bandwidth }
}

/// One directed link as it was measured.
public struct LinkMeasurement: Sendable, Hashable, Codable {
  /// The rank that sent.
  public let source: Int
  /// The rank that received, and measured.
  public let destination: Int
  /// By size.
  public let samples: [LinkSample]
  /// The line through the samples; `nil` when there is none.
  public let fit: LinkFit?
}
