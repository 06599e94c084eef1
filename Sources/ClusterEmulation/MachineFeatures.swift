/// What this machine can do for an emulated cluster.
package struct MachineFeatures: Sendable, Hashable {
  /// Why hosts cannot be network namespaces; `nil` where they can.
  package var namespaceObstacle: String?
  /// Whether the kernel limits bandwidth (queueing discipline `tbf`).
  package var limitsBandwidth = false
  /// Whether the kernel delays and loses packets (queueing discipline `netem`).
  package var hasNetem = false
  /// Where processor time is limited; `nil` where it cannot be.
  package var cpu: Cgroups?
  /// Where memory is limited; `nil` where it cannot be.
  package var memory: Cgroups?

  /// A machine that can do nothing, for a reason.
  package init(namespaceObstacle: String?) { self.namespaceObstacle = namespaceObstacle }
}
