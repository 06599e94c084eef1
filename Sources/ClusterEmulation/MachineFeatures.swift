/// What this machine can do for an emulated cluster.
public struct MachineFeatures: Sendable, Hashable {
  /// Why hosts cannot be network namespaces; `nil` where they can.
  public var namespaceObstacle: String?
  /// Whether the kernel limits bandwidth (queueing discipline `tbf`).
  public var limitsBandwidth = false
  /// Whether the kernel delays and loses packets (queueing discipline `netem`).
  public var hasNetem = false
  /// Where processor time is limited; `nil` where it cannot be.
  public var cpu: Cgroups?
  /// Where memory is limited; `nil` where it cannot be.
  public var memory: Cgroups?

  /// A machine that can do nothing, for a reason.
  public init(namespaceObstacle: String?) { self.namespaceObstacle = namespaceObstacle }
}
