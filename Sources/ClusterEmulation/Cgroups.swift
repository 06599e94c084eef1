/// Where control groups can be made that limit processor time, or memory.
package struct Cgroups: Sendable, Hashable {
  /// The interface.
  package enum Version: Int, Sendable {
    /// One hierarchy for each controller.
    case v1 = 1
    /// One hierarchy for all of them.
    case v2 = 2
  }

  /// What is limited.
  package enum Controller: String, Sendable {
    /// Processor time.
    case cpu
    /// Memory.
    case memory
  }

  /// The interface.
  package let version: Version
  /// What is limited.
  package let controller: Controller
  /// The folder that groups are made in.
  package let parent: String

  /// The file of a group that holds its limit.
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

  /// The hierarchies that could have a controller, the likeliest first.
  ///
  /// - Parameter mounts: the text of `/proc/mounts`.
  package static func candidates(_ controller: Controller, mounts: String) -> [Cgroups] {
    let lines = mounts.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    func parents(_ type: String, _ option: String?) -> [String] {
      lines.filter { words in
        words.count >= 4 && words[2] == type
          && (option.map { words[3].split(separator: ",").map(String.init).contains($0) } ?? true)
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

  /// The steps that make a group which may use a number of cores.
  func limit(_ name: String, cores: Double) -> [Step] {
    let group = group(name)
    // A short period: a host that has used up its share stands still for the rest of it.
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

  /// The steps that make a group which may use some MiB of memory.
  func limit(_ name: String, mebibytes: Int) -> [Step] {
    [.makeFolder(group(name)), .write("\(mebibytes << 20)", to: "\(group(name))/\(limitFile)")]
  }
}
