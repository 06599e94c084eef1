import Foundation
import InputErrors

/// What of a machine a process may use, as Linux tells it.
package struct HostResources: Codable, Hashable, Sendable {
  /// Tells machines apart: the kernel's number of this boot. Containers and namespaces of one machine share it.
  package var machine: String
  /// The processors that the process may run on.
  package var processors: [Int]
  /// Bytes that the machine has left.
  package var availableMemory: Int
  /// The control group of the process, and the smallest limit of it and those above, in bytes.
  package var memoryGroup: String
  /// `nil` where there is no limit.
  package var memoryLimit: Int?

  /// Takes the parts.
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

  /// Reads this process's.
  ///
  /// - Parameter root: where `proc` and `sys` lie.
  /// - Throws: `CannotRead` where the kernel does not say.
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

  /// The kernel's list of numbers, as in `0-3,8`.
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

  /// The smallest limit on the way up and the name of the group that has it, which all ranks below it share; without a
  /// limit the process's own group. In version 1 or 2 of control groups.
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
      // Version 1 writes no limit as a number close to the largest one.
      // Of equal limits the outer one counts: more ranks share it.
      if let found, found < 1 << 60, found <= smallest?.bytes ?? found {
        smallest = ("/" + names.joined(separator: "/"), found)
      }
      if names.popLast() == nil { break }
    }
    return (smallest?.group ?? path, smallest?.bytes)
  }

  /// What a rank may use of what it shares with others.
  package struct Share: Hashable, Sendable {
    /// Threads: its processors over the ranks that may run on them too, at least 1.
    package var workers: Int
    /// Bytes: the machine's over the ranks on it; or its control group's limit over the ranks in it.
    package var memory: Int
  }

  /// The share of one rank, from what every rank says of itself.
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

  /// The kernel did not say something.
  package struct CannotRead: InputError, Equatable {
    let file: String
    let what: String

    /// One line.
    package var description: String {
      "\(file): says nothing of \(what); run on Linux with /proc mounted"
    }
  }
}
