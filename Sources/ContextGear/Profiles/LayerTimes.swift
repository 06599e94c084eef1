/// Seconds that a device's work takes, from its profile.
extension Device {
  /// Seconds of one layer for `tokens` rows of sequences of `context` tokens.
  func layer(_ shape: ModelShape, tokens: Double, context: Double) -> (forward: Double, backward: Double) {
    switch speed {
    case .measured(let times): return Self.interpolated(times.layer, tokens)
    case .described(let rate):
      let bytes = Double(shape.layerBytes)
      return (
        rate.seconds(shape.forwardFLOPs(tokens: tokens, context: context), bytes),
        rate.seconds(shape.backwardFLOPs(tokens: tokens, context: context), bytes)
      )
    }
  }

  /// Seconds of the final norm, the head and the loss for `labels` rows.
  func head(_ shape: ModelShape, labels: Double) -> (forward: Double, backward: Double) {
    switch speed {
    case .measured(let times): return Self.interpolated(times.head, labels)
    case .described(let rate):
      let seconds = rate.seconds(shape.headFLOPs(labels: labels), Double(shape.embeddingBytes))
      return (seconds, seconds)
    }
  }

  /// Seconds that the model's end takes beyond its layers, each counted whole: those of the head, less what the
  /// last layer saves, whose part after attention computes the labelled rows only. May be negative.
  func end(_ shape: ModelShape, _ pass: Workload.Pass, samples: Double) -> (forward: Double, backward: Double)
  {
    let labels = samples * pass.labels
    let rows = pass.rows(samples: samples)
    let head = head(shape, labels: labels)
    let all = layer(shape, tokens: rows, context: pass.tokens)
    let labelled = layer(shape, tokens: min(labels, rows), context: pass.tokens)
    return (
      head.forward - shape.shareAfterAttention * (all.forward - labelled.forward),
      head.backward - shape.shareAfterAttention * (all.backward - labelled.backward)
    )
  }

  /// Seconds of the token embedding: rows are copied, nothing is computed.
  func embedding(_ shape: ModelShape, tokens: Double) -> Double {
    switch speed {
    case .measured(let times): return Self.interpolated(times.embedding, tokens).forward
    case .described(let rate):
      return tokens * Double(shape.hidden * shape.valueBytes) / rate.memoryBandwidth
    }
  }

  /// Seconds of AdamW over the trained columns of some layers: 28 bytes are read or written for each value.
  func update(_ shape: ModelShape, layers: Int, columns: Int) -> Double {
    switch speed {
    case .measured(let times): return times.updatePerLayer * Double(layers)
    case .described(let rate):
      return Double(layers * columns * shape.columnValues * 28) / rate.memoryBandwidth + rate.overhead
    }
  }

  /// Straight lines between the measured sizes; beyond the last, the last two go on; below the first, the
  /// first two go on, but never below the first time's proportional share. One point alone is proportional.
  static func interpolated(
    _ points: [MeasuredTimes.Point], _ tokens: Double
  ) -> (forward: Double, backward: Double) {
    guard let first = points.first, tokens > 0 else { return (0, 0) }
    let share = tokens / Double(first.tokens)
    guard points.count > 1 else { return (first.forward * share, first.backward * share) }
    let upper = points.dropFirst().firstIndex { Double($0.tokens) >= tokens } ?? points.count - 1
    let (low, high) = (points[upper - 1], points[upper])
    let position = (tokens - Double(low.tokens)) / Double(high.tokens - low.tokens)
    let (forward, backward) = (
      low.forward + position * (high.forward - low.forward),
      low.backward + position * (high.backward - low.backward)
    )
    let floor = min(share, 1)
    return (max(forward, first.forward * floor), max(backward, first.backward * floor))
  }
}

extension DescribedRate {
  /// Roofline and fixed overhead.
  func seconds(_ operations: Double, _ bytes: Double) -> Double {
    max(operations / (peak * efficiency), bytes / memoryBandwidth) + overhead
  }
}
