import Foundation

/// The learning rate over the optimiser steps of one phase: a linear warm-up, then a constant rate or a
/// half cosine (Loshchilov and Hutter, arXiv 1608.03983, without restarts).
public struct LearningRateSchedule: Sendable, Equatable {
  /// What follows the warm-up.
  public enum Shape: String, Sendable, Codable {
    /// The peak rate to the end.
    case constant
    /// A half cosine from the peak down to `minimumRatio` of it.
    case cosine
  }

  /// The highest rate.
  public var peak: Double
  /// What follows the warm-up.
  public var shape: Shape
  /// The share of the steps with a linearly rising rate, 0...1.
  public var warmup: Double
  /// Where the cosine ends, as a share of the peak.
  public var minimumRatio: Double

  /// A constant rate by default.
  public init(peak: Double, shape: Shape = .constant, warmup: Double = 0, minimumRatio: Double = 0) {
    self.peak = peak
    self.shape = shape
    self.warmup = warmup
    self.minimumRatio = minimumRatio
  }

  /// The rate of step `step` of `total`, both counted from 1.
  public func rate(step: Int, total: Int) -> Double {
    let rising = Int((warmup * Double(total)).rounded())
    if step <= rising { return peak * Double(step) / Double(rising) }
    guard shape == .cosine, total > rising + 1 else { return peak }
    let progress = Double(step - rising - 1) / Double(total - rising - 1)
    return peak * (minimumRatio + (1 - minimumRatio) * 0.5 * (1 + cos(.pi * min(1, progress))))
  }
}
