/// A hierarchy in which control groups that limit processor time or memory can be created.
package struct Cgroups: Sendable, Hashable {
  /// The interface version.
  package enum Version: Int, Sendable {
    /// One hierarchy per controller.
    case v1 = 1
    /// One hierarchy for all controllers.
    case v2 = 2
  }

  /// The resource that is limited.
  package enum Controller: String, Sendable {
    /// Processor time.
    case cpu
    /// Memory.
    case memory
  }

  package let version: Version
  package let controller: Controller
  /// The folder that groups are created in.
  package let parent: String

  /// The name of a group's file that holds its limit.
  var limitFile: String {
    switch (controller, version) {
    case (.cpu, .v1): "cpu.cfs_quota_us"
    case (.cpu, .v2): "cpu.max"
    case (.memory, .v1): "memory.limit_in_bytes"
    case (.memory, .v2): "memory.max"
    }
  }

  /// `cgroup v1, cpu.cfs_quota_us`.
  var title: String { "cgroup v\(version.rawValue), \(limitFile)" }

  /// The hierarchies that may have a controller, the likeliest first.
  ///
  /// - Parameter mounts: the contents of `/proc/mounts`.
  package static func candidates(_ controller: Controller, mounts: String) -> [Cgroups] {
    let lines = mounts.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    func parents(_ type: String, _ option: String?) -> [String] {
      lines.filter { fields in
        fields.count >= 4 && fields[2] == type
          && (option.map { fields[3].split(separator: ",").map(String.init).contains($0) } ?? true)
      }.map { $0[1] }
    }
    return parents("cgroup", controller.rawValue).map { .init(.v1, controller, $0) }
      + parents("cgroup2", nil).map { .init(.v2, controller, $0) }
  }

  package init(_ version: Version, _ controller: Controller, _ parent: String) {
    (self.version, self.controller, self.parent) = (version, controller, parent)
  }

  /// The folder of a group.
  func group(_ name: String) -> String { "\(parent)/\(name)" }

  /// The steps that create a group limited to a number of cores.
  func limit(_ name: String, cores: Double) -> [Step] {
    let group = group(name)
    // A short period: a host that has used up its share is stopped for the rest of it.
    let period = 20_000
    let quota = Int((cores * Double(period)).rounded())
    switch version {
    case .v1:
      return [
        .makeFolder(group), .write("\(period)", to: "\(group)/cpu.cfs_period_us"),
        .write("\(quota)", to: "\(group)/\(limitFile)"),
      ]
    case .v2: return [.makeFolder(group), .write("\(quota) \(period)", to: "\(group)/\(limitFile)")]
    }
  }

  /// The steps that create a group limited to some MiB of memory.
  func limit(_ name: String, mebibytes: Int) -> [Step] {
    [.makeFolder(group(name)), .write("\(mebibytes << 20)", to: "\(group(name))/\(limitFile)")]
  }
}
