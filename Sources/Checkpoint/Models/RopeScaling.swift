import Foundation

/// A change of the rotary embedding's frequencies that extends the model to longer sequences.
///
/// The rotation angle of dimension pair i, for head dimension d, is `position · base^(-2i/d) / divisor_i`.
package enum RopeScaling: Sendable, Equatable, Codable {
  /// All divisors equal `factor`.
  case linear(factor: Double)
  /// Llama 3.1's rule. The frequencies of wavelengths above `original / lowFrequencyFactor` are divided by
  /// `factor`; those of wavelengths below `original / highFrequencyFactor` are unchanged; between the two,
  /// the divisor is interpolated.
  case llama3(
    factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalMaximumPositions: Int)
  /// One divisor per pair, `headDimension / 2` in total (GGUF's `rope_freqs.weight`).
  case divisors([Float])

  /// The divisor of each pair's frequency; `headDimension / 2` values.
  ///
  /// The `llama3` formula is from the model's published reference code (`apply_scaling`).
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
