/// The time that messages of one size take over a directed link.
package struct LinkSample: Sendable, Hashable, Codable {
  /// The message's size in bytes.
  package let bytes: Int
  /// Seconds from the start of sending to the end of receiving; a median.
  package let seconds: Double

  package init(bytes: Int, seconds: Double) { (self.bytes, self.seconds) = (bytes, seconds) }
}

/// A line through a link's measurements: `seconds = latency + bytes / bandwidth`.
package struct LinkFit: Sendable, Hashable, Codable {
  /// Seconds until the first byte arrives.
  package let latency: Double
  /// Bytes per second.
  package let bandwidth: Double
  /// The largest difference between the line and a measurement, relative to the measurement.
  package let residual: Double

  /// The line through the least time `t₀` at the smallest size `x₀` that minimises `Σ (line − t)² / t`.
  ///
  /// A small message takes no longer than a large one; if it does, something else delayed it. Shapers and
  /// radios let bursts of some kilobytes pass at full speed, and an unweighted line through all times would
  /// mistake that for bandwidth. In closed form, with `w = 1/t`:
  /// `slope = Σ w (x − x₀)(t − t₀) / Σ w (x − x₀)²`. If this makes the latency negative, the latency is 0 and
  /// the slope is that of the best line through the origin.
  ///
  /// - Returns: `nil` with fewer than two sizes, or if times do not grow with size.
  package init?(_ samples: [LinkSample]) {
    guard let smallest = samples.map(\.bytes).min(), samples.allSatisfy({ $0.seconds > 0 })
    else {
      return nil
    }
    func best(throughBytes x0: Double, seconds t0: Double) -> Double {
      var (xt, xx) = (0.0, 0.0)
      for sample in samples {
        let (x, t) = (Double(sample.bytes) - x0, sample.seconds - t0)
        xt += x * t / sample.seconds
        xx += x * x / sample.seconds
      }
      return xt / xx
    }
    let (x0, t0) = (Double(smallest), samples.map(\.seconds).min() ?? 0)
    var slope = best(throughBytes: x0, seconds: t0)
    var latency = t0 - x0 * slope
    if latency < 0 { (latency, slope) = (0, best(throughBytes: 0, seconds: 0)) }
    guard slope > 0 else { return nil }
    (self.latency, bandwidth) = (latency, 1 / slope)
    let line = (latency, slope)
    residual =
      samples.map { abs(line.0 + Double($0.bytes) * line.1 - $0.seconds) / $0.seconds }.max() ?? 0
  }

  /// The seconds that a message of `bytes` bytes takes.
  package func seconds(bytes: Int) -> Double { latency + Double(bytes) / bandwidth }
}

/// The measurement of one directed link.
package struct LinkMeasurement: Sendable, Hashable, Codable {
  /// The rank that sent.
  package let source: Int
  /// The rank that received and measured.
  package let destination: Int
  /// The samples, by size.
  package let samples: [LinkSample]
  /// The line through the samples; `nil` if there is none.
  package let fit: LinkFit?
}
