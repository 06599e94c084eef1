/// Times of a device while other devices of its machine compute.
extension Device {
  /// The device's times while `busy` other devices of its machine compute. The contention factor applies in
  /// full if there are at least as many of them as in the measurement, otherwise in proportion.
  func beside(_ busy: Int) -> Device {
    guard case .measured(let times) = speed, let contention = times.contention, busy > 0 else { return self }
    var copy = self
    copy.speed = .measured(times.slowed(by: contention, share: contention.share(of: busy)))
    return copy
  }
}

extension MeasuredTimes {
  fileprivate func slowed(by contention: Contention, share: Double) -> MeasuredTimes {
    func scale(_ factor: Double) -> Double { 1 + (factor - 1) * share }
    func points(_ points: [Point], _ sizes: [Contention.Size]) -> [Point] {
      points.map {
        let factor = scale(contention.factor(of: $0.tokens, in: sizes))
        return Point(tokens: $0.tokens, forward: $0.forward * factor, backward: $0.backward * factor)
      }
    }
    var copy = self
    copy.layer = points(layer, contention.layer)
    copy.head = points(head, contention.head)
    copy.embedding = points(embedding, [])
    copy.columns = columns.map {
      ColumnTimes(trained: $0.trained, frozen: $0.frozen, layer: points($0.layer, contention.layer))
    }
    copy.updatePerLayer *= scale(contention.update ?? contention.factor)
    let sum = scale(contention.sum ?? contention.factor)
    copy.sumPerLayer = sumPerLayer.map { SumTimes(copy: $0.copy * sum, add: $0.add * sum) }
    return copy
  }
}

extension Contention {
  fileprivate func share(of busy: Int) -> Double { min(1, Double(busy) / Double(max(others, 1))) }

  /// Interpolates linearly between the sizes; beyond them, the nearest size's factor.
  fileprivate func factor(of tokens: Int, in sizes: [Size]) -> Double {
    guard let first = sizes.first, let last = sizes.last else { return factor }
    guard let upper = sizes.firstIndex(where: { $0.tokens >= tokens }) else { return last.factor }
    guard upper > 0 else { return first.factor }
    let (low, high) = (sizes[upper - 1], sizes[upper])
    let position = Double(tokens - low.tokens) / Double(high.tokens - low.tokens)
    return low.factor + position * (high.factor - low.factor)
  }
}
