import Foundation
import InputErrors

/// The kernel's memory figures for this process.
enum ProcessMemory {
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
