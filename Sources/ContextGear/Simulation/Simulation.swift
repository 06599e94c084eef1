/// The simulated cost of a schedule.
package struct Simulation: Sendable {
  /// An operation with its start and end.
  package struct Span: Sendable, Equatable {
    /// The stage's index in the schedule.
    package var stage: Int
    /// The index in the schedule's operations.
    package var operation: Int
    /// Seconds from the start.
    package var start, end: Double
  }

  /// Bytes sent from one device to another.
  package struct Traffic: Codable, Hashable, Sendable {
    /// The devices' indices in the cluster.
    package var from, to: Int
    /// Bytes over all steps.
    package var bytes: Int
  }

  /// Seconds per step in the steady state: the mean interval between step ends over the last half of the
  /// steps, but at least the time per step that the busiest device or medium works.
  package var stepTime: Double
  /// When each step ends on the first stage that trains (on the last stage if none does), in seconds.
  package var ends: [Double]
  /// Seconds until everything is done.
  package var makespan: Double
  /// Seconds that each stage computes, over all steps.
  package var busy: [Double]
  /// Compute operations and updates with their times; empty unless requested.
  package var spans: [Span] = []
  /// Bytes between devices, ordered by sender and receiver; empty unless requested.
  package var traffic: [Traffic] = []
}
