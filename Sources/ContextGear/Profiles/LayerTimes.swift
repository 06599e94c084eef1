/// Seconds of a device's work, from its profile.
extension Device {
  /// Seconds of one layer for `tokens` rows of sequences of `context` tokens, with given rank columns.
  func layer(
    _ shape: ModelShape, tokens: Double, context: Double, columns: Workload.Columns?
  ) -> (forward: Double, backward: Double) {
    switch speed {
    case .measured(let times): return times.layer(tokens: tokens, columns: columns)
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

  /// Seconds that the end of the model takes beyond its layers, if each layer is counted in full: the head's
  /// time less the last layer's saving, because the part of that layer after attention computes only the
  /// labelled rows. May be negative.
  func end(_ shape: ModelShape, _ pass: Workload.Pass, samples: Double) -> (forward: Double, backward: Double)
  {
    let labels = samples * pass.labels
    let rows = pass.rows(samples: samples)
    let head = head(shape, labels: labels)
    let all = layer(shape, tokens: rows, context: pass.tokens, columns: pass.columns)
    let labelled = layer(
      shape, tokens: min(labels, rows), context: pass.tokens, columns: pass.columns)
    let saves = lastLayerSaves(shape)
    return (
      head.forward - saves.forward * (all.forward - labelled.forward),
      head.backward - saves.backward * (all.backward - labelled.backward)
    )
  }

  private func lastLayerSaves(_ shape: ModelShape) -> Saving {
    if case .measured(let times) = speed, let saves = times.lastLayerSaves { return saves }
    return Saving(forward: shape.shareAfterAttention, backward: shape.shareAfterAttention)
  }

  /// Seconds of the token embedding, which copies rows and computes nothing.
  func embedding(_ shape: ModelShape, tokens: Double) -> Double {
    switch speed {
    case .measured(let times): return Self.interpolated(times.embedding, tokens).forward
    case .described(let rate):
      return tokens * Double(shape.hidden * shape.valueBytes) / rate.memoryBandwidth
    }
  }

  /// Seconds of AdamW on the trained columns of some layers: 28 bytes are read or written per value.
  func update(_ shape: ModelShape, layers: Int, columns: Int) -> Double {
    switch speed {
    case .measured(let times):
      return times.updatePerLayer * Double(layers) * (times.rank.map { Double(columns) / Double($0) } ?? 1)
    case .described(let rate):
      return Double(layers * columns * shape.columnValues * 28) / rate.memoryBandwidth + rate.overhead
    }
  }

  /// Seconds to copy, or to add, `bytes` of gradients between replicas. Copying reads and writes each value
  /// once; adding also reads the sum and the copy, and writes the sum.
  func sum(_ shape: ModelShape, bytes: Double) -> SumTimes {
    switch speed {
    case .measured(let times):
      guard let sum = times.sumPerLayer else { return SumTimes(copy: 0, add: 0) }
      let layers = bytes / Double(4 * shape.columnValues * (times.rank ?? shape.rank))
      return SumTimes(copy: sum.copy * layers, add: sum.add * layers)
    case .described(let rate):
      return SumTimes(copy: 2 * bytes / rate.memoryBandwidth, add: 5 * bytes / rate.memoryBandwidth)
    }
  }

  /// Interpolates linearly between the measured sizes. Beyond the last size, the last segment is extended;
  /// below the first, the first one is, but never below the first time's proportional share. A single point
  /// is scaled in proportion.
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

extension MeasuredTimes {
  /// Seconds of one layer with given rank columns: those with `rank` trained columns, plus the measured time
  /// of each further column. In the forward pass, a column costs the same whether it is trained or frozen.
  package func layer(tokens: Double, columns: Workload.Columns?) -> (forward: Double, backward: Double) {
    let base = Device.interpolated(layer, tokens)
    guard let columns, let rank else { return base }
    let frozen = columns.mayMerge && mergesFrozen ? 0 : columns.frozen
    let perFrozen = perColumn(tokens) { $0.trained == rank && $0.frozen > 0 }
    let perTrained = perColumn(tokens) { $0.trained > rank && $0.frozen == 0 }
    // With fewer columns than measured, a layer keeps at least half of its time: extrapolation may go lower.
    let forward = base.forward + Double(columns.trained + frozen - rank) * perFrozen.forward
    let backward =
      base.backward + Double(frozen) * perFrozen.backward
      + Double(columns.trained - rank) * perTrained.backward
    return (max(forward, base.forward / 2), max(backward, base.backward / 2))
  }

  /// Seconds per additional column, from the first matching entry of `columns`.
  private func perColumn(
    _ tokens: Double, where fits: (ColumnTimes) -> Bool
  ) -> (forward: Double, backward: Double) {
    guard let rank, let other = columns.first(where: fits) else { return (0, 0) }
    let more = Double(other.trained + other.frozen - rank)
    let differences = other.layer.map { point in
      let base = Device.interpolated(layer, Double(point.tokens))
      return Point(
        tokens: point.tokens, forward: max(point.forward - base.forward, 0) / more,
        backward: max(point.backward - base.backward, 0) / more)
    }
    return Device.interpolated(differences, tokens)
  }
}

extension DescribedRate {
  /// Roofline time plus the fixed overhead.
  func seconds(_ operations: Double, _ bytes: Double) -> Double {
    max(operations / (peak * efficiency), bytes / memoryBandwidth) + overhead
  }
}
