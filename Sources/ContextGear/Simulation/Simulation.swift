/// What a schedule costs, as simulated.
package struct Simulation: Sendable {
  /// An operation with its time.
  package struct Span: Sendable, Equatable {
    /// Its place in the schedule's operations.
    package var operation: Int
    /// Seconds from the start.
    package var start, end: Double
  }

  /// Bytes from one device to another.
  package struct Traffic: Codable, Hashable, Sendable {
    /// The devices' places in the cluster.
    package var from, to: Int
    /// Bytes of all steps.
    package var bytes: Int
  }

  /// Seconds of one step in the steady state: the mean distance of the last half of the steps' ends, and
  /// never less than what the busiest device or medium works in a step.
  package var stepTime: Double
  /// The end of each step on the first stage that trains (the last stage where none does), seconds.
  package var ends: [Double]
  /// Seconds until everything is done.
  package var makespan: Double
  /// Seconds each stage computes in all steps.
  package var busy: [Double]
  /// Compute operations and updates in time; empty unless asked for.
  package var spans: [Span] = []
  /// Bytes between devices, ascending; empty unless asked for.
  package var traffic: [Traffic] = []
}
