import Foundation

/// How the rotary embedding's frequencies are changed to reach positions beyond those trained first.
///
/// A dimension pair i of head dimension d turns by `position · base^(-2i/d) / divisor_i`.
package enum RopeScaling: Sendable, Equatable, Codable {
  /// All divisors equal `factor`.
  case linear(factor: Double)
  /// Llama 3.1's rule: wavelengths above `original / lowFrequencyFactor` are divided by `factor`, those
  /// below `original / highFrequencyFactor` are left, and between the two it is interpolated.
  case llama3(
    factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalMaximumPositions: Int)
  /// Divisors given one by one, `headDimension / 2` of them (GGUF's `rope_freqs.weight`).
  case divisors([Float])

  /// The divisor of each pair's frequency, `headDimension / 2` values.
  ///
  /// Source of the `llama3` formula: the model's published reference code (`apply_scaling`).
  package func divisors(theta: Double, headDimension: Int) -> [Double] {
    let pairs = headDimension / 2
    switch self {
    case .linear(let factor): return Array(repeating: factor, count: pairs)
    case .divisors(let divisors):
      precondition(divisors.count == pairs, "one divisor for each pair")
      return divisors.map(Double.init)
    case .llama3(let factor, let low, let high, let original):
      return (0..<pairs).map { pair in
        let frequency = pow(theta, -2 * Double(pair) / Double(headDimension))
        let wavelength = 2 * Double.pi / frequency
        if wavelength < Double(original) / high { return 1 }
        if wavelength > Double(original) / low { return factor }
        let smooth = (Double(original) / wavelength - low) / (high - low)
        return 1 / ((1 - smooth) / factor + smooth)
      }
    }
  }
}
