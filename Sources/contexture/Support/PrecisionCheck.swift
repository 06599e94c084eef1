import Runs
import Tensor
import Workflows

extension Precision {
  /// Refuses a number format that this processor does not compute in.
  func refuseUnlessComputed() throws(InputError) {
    guard let type = computeType, !CPUDevice.canCompute(type) else { return }
    throw InputError(
      place: "--precision", problem: "this processor does not compute in \(type.rawValue)",
      remedy: "use auto or float32")
  }
}
