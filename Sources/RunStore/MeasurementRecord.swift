/// A measurement of an experiment: a method on a benchmark with a seed.
package struct MeasurementRecord: Sendable, Codable, Equatable {
  package enum State: String, Sendable, Codable {
    /// There is no result yet.
    case missing
    /// The result was there before this run needed it.
    case known
    /// This run measured it.
    case measured
  }

  /// One number of the result.
  package struct Value: Sendable, Codable, Equatable {
    /// The task, or an empty text for a number of the whole benchmark.
    package var task: String
    package var metric: String
    /// A finite number; accuracies are from 0 to 1.
    package var value: Double

    package init(task: String = "", _ metric: String, _ value: Double) {
      (self.task, self.metric, self.value) = (task, metric, value)
    }
  }

  /// The SHA-256 of everything that the result depends on, in hexadecimal.
  package var checksum: String
  /// The experiments that need it.
  package var experiments: [String]
  package var benchmark: String
  /// The method, with what differs from its usual settings.
  package var method: String
  package var seed: Int
  package var state = State.missing
  /// By task, those of the whole benchmark first, and metric; empty as long as it is missing.
  package var values: [Value] = []

  package init(checksum: String, experiments: [String], benchmark: String, method: String, seed: Int) {
    (self.checksum, self.experiments, self.benchmark) = (checksum, experiments, benchmark)
    (self.method, self.seed) = (method, seed)
  }

  /// The number with that name; `nil` if there is none.
  package func value(_ metric: String, task: String = "") -> Double? {
    values.first { $0.metric == metric && $0.task == task }?.value
  }

  /// The mean of a metric over the tasks; `nil` if no task has it.
  package func mean(_ metric: String) -> Double? {
    let all = values.filter { $0.metric == metric && !$0.task.isEmpty }.map(\.value)
    return all.isEmpty ? nil : all.reduce(0) { $0 + $1 / Double(all.count) }
  }
}

/// How many measurements of an experiment are there.
package struct MeasurementProgress: Sendable, Encodable, Equatable {
  package var done, planned: Int

  package init(done: Int, planned: Int) { (self.done, self.planned) = (done, planned) }

  package var text: String { "\(done) of \(planned) measurement\(planned == 1 ? "" : "s")" }
}
