import Checkpoint
import Tensor

#if canImport(Glibc)
  import Glibc
#endif

/// Cosines and sines of the rotary embedding's angles, `[positions, dimension / 2]` float32.
struct RotaryTable: Sendable {
  private let memory: DeviceMemory
  let cosine: Matrix
  let sine: Matrix

  /// Angles position · theta^(-2i / dimension) (Su et al., arXiv 2104.09864), rescaled if the configuration
  /// says so.
  init(_ configuration: LlamaConfiguration, positions: Int, device: any ComputeDevice) {
    let half = configuration.headDimension / 2
    (memory, (cosine, sine)) = device.allocate { plan in
      (
        plan.matrix(rows: positions, columns: half, type: .float32),
        plan.matrix(rows: positions, columns: half, type: .float32)
      )
    }
    let frequencies = Self.frequencies(configuration)
    var cosines = [Float](repeating: 0, count: positions * half)
    var sines = cosines
    for position in 0..<positions {
      for i in 0..<half {
        // Both factors and the product in float32, as the reference implementations compute them.
        let angle = Float(position) * frequencies[i]
        cosines[position * half + i] = Float(cos(Double(angle)))
        sines[position * half + i] = Float(sin(Double(angle)))
      }
    }
    let operations = device.makeOperations(threads: 1)
    operations.write(cosines, scale: 1, into: cosine)
    operations.write(sines, scale: 1, into: sine)
  }

  /// theta^(-2i / dimension) for each pair i, divided according to the configuration's scaling.
  static func frequencies(_ configuration: LlamaConfiguration) -> [Float] {
    let dimension = configuration.headDimension
    let divisors = configuration.ropeScaling?.divisors(
      theta: configuration.ropeTheta, headDimension: dimension)
    return (0..<dimension / 2).map { i in
      Float(pow(configuration.ropeTheta, -2 * Double(i) / Double(dimension)) / (divisors?[i] ?? 1))
    }
  }
}
