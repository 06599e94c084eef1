import Foundation
import Glibc

/// The program and the machine of a run.
package struct RunEnvironment: Sendable, Codable, Equatable {
  /// The program's version.
  package var program: String
  /// The processor's model name.
  package var cpu: String
  /// The instruction set of the kernels that compute.
  package var instructionSet: String
  /// The processors that the process may use.
  package var cores: Int
  /// The machine's memory in bytes.
  package var memory: Int
  /// The operating system and its kernel.
  package var system: String
  /// The number of threads that compute; `nil` if it is not known.
  package var workers: Int?
  /// The number of processes that train together.
  package var ranks: Int

  /// Reads this machine's.
  package init(program: String, instructionSet: String, workers: Int? = nil, ranks: Int = 1) {
    (self.program, self.instructionSet, self.workers, self.ranks) = (program, instructionSet, workers, ranks)
    cpu =
      Self.value(of: ["model name", "Model", "cpu model"], separator: ":", in: "/proc/cpuinfo") ?? "unknown"
    cores = ProcessInfo.processInfo.activeProcessorCount
    memory = Int(min(ProcessInfo.processInfo.physicalMemory, UInt64(Int.max)))
    var kernel = utsname()
    uname(&kernel)
    let release = withUnsafeBytes(of: kernel.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    let name = Self.value(of: ["PRETTY_NAME"], separator: "=", in: "/etc/os-release") ?? "Linux"
    system = "\(name.trimmingCharacters(in: ["\""])), kernel \(release)"
  }

  init(_ fields: Fields) throws {
    program = try fields.text("program")
    cpu = try fields.text("cpu")
    instructionSet = try fields.text("instructionSet")
    cores = try fields.count("cores")
    memory = try fields.count("memory")
    system = try fields.text("system")
    workers = try fields.optionalInteger("workers")
    ranks = try fields.count("ranks")
  }

  /// The first value of a file with lines such as `name : value`.
  private static func value(of names: [String], separator: Character, in file: String) -> String? {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: separator, maxSplits: 1).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      if parts.count == 2, names.contains(parts[0]), !parts[1].isEmpty { return parts[1] }
    }
    return nil
  }
}

/// A process as another one can find it again: process numbers are used again, also after a restart of the machine.
package struct ProcessIdentity: Sendable, Equatable {
  package var host: String
  /// The kernel's ID of this boot.
  package var boot: String
  /// The namespace in which the process number counts.
  package var namespace: String
  package var process: Int
  /// When it started, in clock ticks since the boot.
  package var start: Int

  /// This process.
  package static var current: ProcessIdentity {
    let process = Int(getpid())
    return ProcessIdentity(
      host: ProcessInfo.processInfo.hostName, boot: bootIdentity, namespace: processNamespace,
      process: process,
      start: startTime(of: process) ?? 0)
  }

  /// Whether the process is there; `nil` if that cannot be known from here, as for one on another machine.
  package var isRunning: Bool? {
    guard boot == Self.bootIdentity else {
      // A host of that name has restarted since.
      return host == ProcessInfo.processInfo.hostName ? false : nil
    }
    guard namespace == Self.processNamespace else { return nil }
    return Self.startTime(of: process) == start
  }

  private static var bootIdentity: String {
    (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
  }

  private static var processNamespace: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")) ?? ""
  }

  /// Field 22 of `/proc/PID/stat`; a process that has ended but was not waited for counts as gone.
  package static func startTime(of process: Int) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      // The second field is the program's name in brackets, which may have spaces and brackets.
      let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 19, !["Z", "X"].contains(fields[0]) else { return nil }
    return Int(fields[19])
  }
}

extension ProcessIdentity {
  /// The process of a session; an empty one for a run without sessions.
  init(_ session: Fields) throws {
    self.init(
      host: try session.optionalText("host") ?? "", boot: try session.optionalText("boot") ?? "",
      namespace: try session.optionalText("namespace") ?? "",
      process: try session.optionalInteger("process") ?? 0,
      start: try session.optionalInteger("processStart") ?? 0)
  }
}
