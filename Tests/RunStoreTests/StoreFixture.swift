import RunStore
import Foundation
import GRDB
import TestSupport

/// A folder with the path of a store, for the duration of `body`.
func withStore<T>(_ body: (_ folder: URL, _ path: String) throws -> T) throws -> T {
  try Fixtures.withTemporaryDirectory { folder in
    try body(folder, folder.appendingPathComponent(RunStore.defaultName).path)
  }
}

extension RunEnvironment {
  static let test = RunEnvironment(program: "1.2.3", instructionSet: "avx2", workers: 2)
}

extension RunDescription {
  static func training(_ folder: String, yaml: String = "name: w\n") -> RunDescription {
    var run = RunDescription(.train, name: "first", folder: folder)
    (run.workflow, run.yaml, run.seed, run.precision) = ("w", yaml, 7, "float32")
    run.settings = [Setting("training.learningRate", "0.001"), Setting("lora.rank", "8")]
    return run
  }
}

extension StepMetrics {
  static func at(_ total: Int, task: String = "a", phase: Int = 0) -> StepMetrics {
    StepMetrics(
      phase: phase, task: task, step: total, totalStep: total, loss: 1 / Double(total), gradientNorm: 2,
      learningRate: 1e-3, tokens: 10, seconds: 0.5)
  }
}

extension Configuration {
  /// Waits for a writer that is still closing the file.
  static var patient: Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(60)
    return configuration
  }
}
