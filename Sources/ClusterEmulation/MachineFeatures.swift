/// What this machine can emulate.
package struct MachineFeatures: Sendable, Hashable {
  /// Why hosts cannot be network namespaces; `nil` if they can.
  package var namespaceObstacle: String?
  /// Whether the kernel can limit bandwidth (queueing discipline `tbf`).
  package var limitsBandwidth = false
  /// Whether the kernel can delay and lose packets (queueing discipline `netem`).
  package var hasNetem = false
  /// Where processor time can be limited; `nil` if it cannot.
  package var cpu: Cgroups?
  /// Where memory can be limited; `nil` if it cannot.
  package var memory: Cgroups?

  package init(namespaceObstacle: String?) { self.namespaceObstacle = namespaceObstacle }
}
