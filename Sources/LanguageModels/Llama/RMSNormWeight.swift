import Checkpoint
import Tensor

/// The weight of an RMSNorm on a device.
final class RMSNormWeight: Sendable {
  /// `[1, hidden]` float32.
  private let weight: Matrix
  private let memory: DeviceMemory
  private let epsilon: Float

  /// - Throws: the source's error for a missing or damaged tensor.
  init(_ source: any WeightSource, _ name: WeightName, device: any ComputeDevice) throws {
    let values = try source.float32(name)
    epsilon = source.configuration.rmsNormEpsilon
    memory = device.allocate(byteCount: values.count * 4)
    weight = memory.matrix(rows: 1, columns: values.count, type: .float32)
    device.makeOperations(threads: 1).write(values, scale: 1, into: weight)
  }

  /// Computes y `[rows, hidden]` and rstd `[rows, 1]` of x `[rows, hidden]` float32.
  func forward(_ x: Matrix, into y: Matrix, rstd: Matrix, _ operations: any TensorOperations) {
    operations.rmsNorm(x, weight: weight, epsilon: epsilon, into: y, rstd: rstd)
  }

  /// Adds the gradient with respect to x to dx. All matrices are float32.
  func backward(_ dy: Matrix, x: Matrix, rstd: Matrix, addTo dx: Matrix, _ operations: any TensorOperations) {
    operations.rmsNormBackward(dy: dy, x: x, weight: weight, rstd: rstd, addTo: dx)
  }
}
