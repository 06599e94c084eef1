import Foundation
import InputErrors

/// The kernel's memory figures for this process.
package enum ProcessMemory {
  /// The peak resident memory, in bytes. `getrusage` may instead report the peak of the program that started
  /// this one, if that was greater.
  ///
  /// - Throws: `Refusal` if the kernel does not report it.
  static func peak() throws -> Int {
    let file = "/proc/self/status"
    let text = try? String(contentsOfFile: file, encoding: .utf8)
    let line = text?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    guard let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { throw Refusal(file, "has no VmHWM", "run on Linux with /proc mounted") }
    return kibibytes * 1024
  }
}

extension ProcessMemory {
  /// The memory that this process can have, in bytes: the machine's, or less if its control group (version 2)
  /// has a limit; `nil` if the kernel does not report it.
  package static func available() -> Int? {
    func number(_ file: String, _ take: (String) -> Substring?) -> Int? {
      (try? String(contentsOfFile: file, encoding: .utf8)).flatMap(take).flatMap { Int($0) }
    }
    let total = number("/proc/meminfo") { text in
      text.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }?
        .split(whereSeparator: \.isWhitespace).dropFirst().first
    }
    let limit = number("/sys/fs/cgroup/memory.max") { $0.split(separator: "\n").first }
    return total.map { min($0 * 1024, limit ?? .max) }
  }
}
