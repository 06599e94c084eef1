/// What a schedule costs, as simulated.
public struct Simulation: Sendable {
  /// An operation with its time.
  public struct Span: Sendable, Equatable {
    /// Its place in the schedule's operations.
    public var operation: Int
    /// Seconds from the start.
    public var start, end: Double
  }

  /// Bytes from one device to another.
  public struct Traffic: Codable, Hashable, Sendable {
    /// The devices' places in the cluster.
    public var from, to: Int
    /// Bytes of all steps.
    public var bytes: Int
  }

  /// Seconds of one step in the steady state: the mean distance of the last half of the steps' ends, and
  /// never less than what the busiest device or medium works in a step.
  public var stepTime: Double
  /// The end of each step on the first stage that trains (the last stage where none does), seconds.
  public var ends: [Double]
  /// Seconds until everything is done.
  public var makespan: Double
  /// Seconds each stage computes in all steps.
  public var busy: [Double]
  /// Compute operations and updates in time; empty unless asked for.
  public var spans: [Span] = []
  /// Bytes between devices, ascending; empty unless asked for.
  public var traffic: [Traffic] = []
}
