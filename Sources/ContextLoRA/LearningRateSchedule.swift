import Foundation

/// The learning rate over the optimiser steps of one phase: a linear warm-up, then a constant rate, a half
/// cosine (Loshchilov and Hutter, arXiv 1608.03983), or a constant rate with a linear cool-down (warm-up,
/// stable, decay; Hu et al., arXiv 2404.06395).
package struct LearningRateSchedule: Sendable, Equatable {
  /// What follows the warm-up.
  package enum Shape: String, Sendable, Codable {
    /// The peak rate until the end.
    case constant
    /// A half cosine from the peak down to `minimumRatio` of it.
    case cosine
    /// The peak rate, then a linear decay to `minimumRatio` of it.
    case wsd
  }

  /// The highest rate.
  package var peak: Double
  /// What follows the warm-up.
  package var shape: Shape
  /// The share of the planned steps in which the rate rises linearly, 0...1.
  package var warmup: Double
  /// The final rate as a share of the peak.
  package var minimumRatio: Double
  /// With `wsd`, the share of the steps in which the rate falls, 0..<1.
  package var cooldown: Double

  package init(
    peak: Double, shape: Shape = .constant, warmup: Double = 0, minimumRatio: Double = 0,
    cooldown: Double = 0
  ) {
    self.peak = peak
    self.shape = shape
    self.warmup = warmup
    self.minimumRatio = minimumRatio
    self.cooldown = shape == .wsd ? cooldown : 0
  }

  /// The rate at a step of a phase with `total` planned steps. Steps are counted from 1.
  package func rate(step: Int, total: Int) -> Double {
    rate(step: step, PhasePace(planned: total, cooldown: cooldown))
  }

  /// The rate at a step, counted from 1, of a phase with this pace. The second cycle has half the peak of the
  /// first, later ones a quarter. After the end of a cosine, it repeats without a warm-up.
  package func rate(step: Int, _ pace: PhasePace) -> Double {
    let peak = peak / [1, 2, 4][min(pace.restarts, 2)]
    let isFirst = pace.restarts == 0
    let rising = isFirst ? Int((warmup * Double(pace.planned)).rounded()) : 0
    func warm(_ step: Int) -> Double { step < rising ? peak * Double(step) / Double(rising) : peak }
    let isFalling = shape == .wsd && step > pace.stableEnd && pace.end > pace.stableEnd
    if step <= rising, !isFalling { return warm(step) }
    switch shape {
    case .constant: return peak
    case .cosine:
      let length = isFirst ? pace.planned : max(1, pace.planned / 2)
      let place = isFirst ? step : (step - pace.cycleStart - 1) % length + 1
      guard length > rising + 1 else { return peak }
      let progress = Double(place - rising - 1) / Double(length - rising - 1)
      return peak * falling(0.5 * (1 + cos(.pi * progress)))
    case .wsd:
      guard isFalling else { return peak }
      // Starts from the rate reached, because a cool-down may begin within the warm-up.
      return warm(max(pace.stableEnd, 1))
        * falling(1 - Double(step - pace.stableEnd) / Double(pace.end - pace.stableEnd))
    }
  }

  /// From 1 at the peak to `minimumRatio` at 0.
  private func falling(_ share: Double) -> Double { minimumRatio + (1 - minimumRatio) * max(0, share) }
}
