import DeviceProfiling
import Foundation
import TestSupport
import Testing

@Suite struct HostResourcesTests {
  /// The resources of a machine with these kernel files.
  private func resources(_ files: [String: String]) throws -> HostResources {
    try Fixtures.withTemporaryDirectory { folder in
      for (path, text) in files {
        let file = folder.appendingPathComponent(path)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
      }
      return try HostResources(root: folder.path + "/")
    }
  }

  private let base = [
    "proc/sys/kernel/random/boot_id": "b-1\n",
    "proc/self/status": "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2,5\n",
    "proc/meminfo": "MemTotal:       2000 kB\nMemAvailable:       1000 kB\n",
  ]

  @Test func aMachineWithoutLimits() throws {
    let found = try resources(base)
    #expect(
      found == HostResources(machine: "b-1", processors: [0, 1, 2, 5], availableMemory: 1_024_000))
  }

  @Test func theSmallestLimitOnTheWayUpCounts() throws {
    let found = try resources(
      base.merging([
        "proc/self/cgroup": "0::/jobs/one\n", "sys/fs/cgroup/jobs/one/memory.max": "max\n",
        "sys/fs/cgroup/jobs/memory.max": "500000\n", "sys/fs/cgroup/memory.max": "900000\n",
      ]) { $1 })
    #expect(found.memoryLimit == 500_000 && found.memoryGroup == "/jobs")
  }

  @Test func ranksInGroupsOfTheirOwnShareTheLimitAboveThem() throws {
    let all = try (0..<2).map { rank in
      try resources(
        base.merging([
          "proc/self/cgroup": "0::/job/task_\(rank)\n", "sys/fs/cgroup/job/task_\(rank)/memory.max": "max\n",
          "sys/fs/cgroup/job/memory.max": "500000\n",
        ]) { $1 })
    }
    #expect(HostResources.share(of: 0, among: all).memory == 250_000)
  }

  @Test func versionOneOfControlGroups() throws {
    let found = try resources(
      base.merging([
        "proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/b\n0::/c\n",
        "sys/fs/cgroup/memory/b/memory.limit_in_bytes": "700000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      ]) { $1 })
    #expect(found.memoryLimit == 700_000 && found.memoryGroup == "/b")
  }

  @Test(arguments: ["proc/self/status", "proc/meminfo"]) func aSilentKernelIsAnError(missing: String) {
    #expect(throws: HostResources.CannotRead.self) { try resources(base.filter { $0.key != missing }) }
  }

  @Test func thisMachineSaysEverything() throws {
    let found = try HostResources()
    #expect(!found.machine.isEmpty && !found.processors.isEmpty && found.availableMemory > 0)
  }

  @Test func ranksShareWhatTheyHaveInCommon() {
    let all = [
      HostResources(machine: "m", processors: [0, 1, 2, 3], availableMemory: 900),
      HostResources(machine: "m", processors: [0, 1, 2, 3], availableMemory: 1000),
      HostResources(machine: "m", processors: [4], availableMemory: 1000, memoryGroup: "/g", memoryLimit: 50),
      HostResources(machine: "n", processors: [0, 1], availableMemory: 700),
    ]
    let shares = all.indices.map { HostResources.share(of: $0, among: all) }
    #expect(shares.map(\.workers) == [2, 2, 1, 2])
    #expect(shares.map(\.memory) == [300, 300, 50, 700])
  }
}
