import Foundation
import InputErrors

/// The resources of a machine that a process may use, as Linux reports them.
package struct HostResources: Codable, Hashable, Sendable {
  /// Identifies the machine: the kernel's ID of this boot. Containers and namespaces of one machine share it.
  package var machine: String
  /// The processors that the process may run on.
  package var processors: [Int]
  /// The machine's available memory in bytes.
  package var availableMemory: Int
  /// The control group that has the limit `memoryLimit`, or the process's own group if there is no limit.
  package var memoryGroup: String
  /// The smallest limit of the process's control group and those above it, in bytes; `nil` if there is none.
  package var memoryLimit: Int?

  package init(
    machine: String, processors: [Int], availableMemory: Int, memoryGroup: String = "/",
    memoryLimit: Int? = nil
  ) {
    self.machine = machine
    self.processors = processors
    self.availableMemory = availableMemory
    self.memoryGroup = memoryGroup
    self.memoryLimit = memoryLimit
  }

  /// Reads this process's resources.
  ///
  /// - Parameter root: the folder that contains `proc` and `sys`.
  /// - Throws: `CannotRead` if the kernel does not report a value.
  package init(root: String = "/") throws(CannotRead) {
    func text(_ path: String) -> String? {
      try? String(contentsOfFile: root + path, encoding: .utf8)
    }
    func value(_ path: String, _ key: String) throws(CannotRead) -> Substring {
      let line = (text(path) ?? "").split(separator: "\n").first { $0.hasPrefix(key + ":") }
      guard let line else { throw CannotRead(file: root + path, what: key) }
      return line.dropFirst(key.count + 1).drop { $0.isWhitespace }
    }
    machine = (text("proc/sys/kernel/random/boot_id") ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    let list = try value("proc/self/status", "Cpus_allowed_list")
    guard let processors = Self.numbers(list) else {
      throw CannotRead(file: root + "proc/self/status", what: "Cpus_allowed_list")
    }
    self.processors = processors
    let memory = try value("proc/meminfo", "MemAvailable")
    guard let kilobytes = memory.split(separator: " ").first.flatMap({ Int($0) }) else {
      throw CannotRead(file: root + "proc/meminfo", what: "MemAvailable")
    }
    availableMemory = kilobytes << 10
    (memoryGroup, memoryLimit) = Self.limit(text("proc/self/cgroup") ?? "", text)
  }

  /// Parses the kernel's list of numbers, as in `0-3,8`.
  static func numbers(_ list: Substring) -> [Int]? {
    var numbers: [Int] = []
    for part in list.split(separator: ",") {
      let ends = part.split(separator: "-").map { Int($0.trimmingCharacters(in: .whitespaces)) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last else {
        return nil
      }
      numbers += first...last
    }
    return numbers.isEmpty ? nil : numbers
  }

  /// The smallest limit of the process's control group and those above it, with the name of the group that
  /// has it, which all ranks below it share. Without a limit, the process's own group. Handles versions 1 and
  /// 2 of control groups.
  private static func limit(_ groups: String, _ text: (String) -> String?) -> (String, Int?) {
    var path = "/"
    var place = ("sys/fs/cgroup", "memory.max")
    for line in groups.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      if parts[1].split(separator: ",").contains("memory") {
        (path, place) = (String(parts[2]), ("sys/fs/cgroup/memory", "memory.limit_in_bytes"))
        break
      }
      if parts[0] == "0" { path = String(parts[2]) }
    }
    var smallest: (group: String, bytes: Int)?
    var names = path.split(separator: "/")
    while true {
      let file = ([place.0] + names.map(String.init) + [place.1]).joined(separator: "/")
      let found = text(file).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      // Version 1 writes "no limit" as a number close to the largest one. Of equal limits, the outermost
      // counts, because more ranks share it.
      if let found, found < 1 << 60, found <= smallest?.bytes ?? found {
        smallest = ("/" + names.joined(separator: "/"), found)
      }
      if names.popLast() == nil { break }
    }
    return (smallest?.group ?? path, smallest?.bytes)
  }

  /// One rank's part of the resources that it shares with others.
  package struct Share: Hashable, Sendable {
    /// Threads: the rank's processors divided by the ranks that may run on them, at least 1.
    package var workers: Int
    /// Bytes: the machine's memory divided by the ranks on it, at most its control group's limit divided by
    /// the ranks in it.
    package var memory: Int
  }

  /// The share of one rank, from the resources that every rank reports.
  package static func share(of rank: Int, among all: [HostResources]) -> Share {
    let own = all[rank]
    let together = all.filter { $0.machine == own.machine }
    let sharing = together.count { !Set($0.processors).isDisjoint(with: own.processors) }
    var memory = (together.map(\.availableMemory).min() ?? own.availableMemory) / together.count
    if let limit = own.memoryLimit {
      memory = min(memory, limit / together.count { $0.memoryGroup == own.memoryGroup })
    }
    return Share(workers: max(own.processors.count / sharing, 1), memory: max(memory, 1))
  }

  /// The kernel does not report a value.
  package struct CannotRead: InputError, Equatable {
    let file: String
    let what: String

    package var description: String {
      "\(file): has no \(what); run on Linux with /proc mounted"
    }
  }
}
