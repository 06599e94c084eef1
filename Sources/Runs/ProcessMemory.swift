import Foundation
import InputErrors

/// What the kernel counts of this process.
enum ProcessMemory {
  /// The most resident memory so far, in bytes. `getrusage` reports the same, or that of the program that started
  /// this one where it was greater.
  ///
  /// - Throws: `Refusal` where the kernel does not say.
  static func peak() throws -> Int {
    let file = "/proc/self/status"
    let text = try? String(contentsOfFile: file, encoding: .utf8)
    let line = text?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    guard let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { throw Refusal(file, "has no VmHWM", "run on Linux with /proc mounted") }
    return kibibytes * 1024
  }
}
