import Foundation
import Glibc
import InputErrors
import SafeFiles

/// Writes the event file of one process into a folder that TensorBoard shows.
///
/// Each record is written at once, so a process that is killed loses at most the record that it was writing; readers pass
/// over an incomplete last one.
package final class EventFileWriter {
  /// The path of the file.
  package let path: String
  /// Whether the folder had no event file before.
  package let isFirst: Bool
  private let descriptor: Int32

  /// Creates the folder if it is missing, and a file in it.
  ///
  /// - Parameter steps: the steps after which a run resumes: what the folder's files have for later ones is no longer
  ///   shown. `nil` for a new run.
  /// - Throws: `InputError` if the folder has the events of another run, or cannot be written.
  package init(folder: String, resumingAfter steps: Int? = nil) throws {
    try Self.check(folder, resumes: steps != nil)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch { throw SystemError.describe(error, path: folder, action: "create the folder") }
    let known = try Self.files(folder)
    isFirst = known.isEmpty
    (path, descriptor) = try Self.create(in: folder, after: known)
    try write(.fileVersion(time: Self.now))
    if let steps, !known.isEmpty { try write(.restart(step: steps + 1, time: Self.now)) }
  }

  deinit { close(descriptor) }

  /// Checks that events can be written to a folder, without creating anything.
  ///
  /// - Throws: `InputError` if the folder has the events of another run, or is not a folder.
  package static func check(_ folder: String, resumes: Bool) throws {
    guard let kind = try FileKind.of(folder) else { return }
    guard kind == .folder else {
      throw Refusal(folder, "is \(kind.text), not a folder", "give --tensorboard a folder")
    }
    if !resumes, let first = try files(folder).first {
      throw Refusal(
        folder, "has the events of another run (\(first)), which TensorBoard would mix with the new one's",
        "give --tensorboard a folder for this run alone, or remove the file")
    }
    guard access(folder, W_OK) == 0 else { throw SystemError.describe(errno, path: folder, action: "write") }
  }

  /// - Throws: `FileError` if the file cannot be written.
  package func scalars(_ values: [(tag: String, value: Double)], step: Int) throws {
    try write(.scalars(values, step: step, time: Self.now))
  }

  /// A text as it is, in a fixed-width font.
  ///
  /// - Throws: `FileError` if the file cannot be written.
  package func plainText(_ text: String, tag: String, step: Int) throws {
    // Markdown shows indented lines without interpreting them.
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
    try write(.text(lines.joined(separator: "\n"), tag: tag, step: step, time: Self.now))
  }

  private func write(_ record: EventRecord) throws {
    try record.bytes.withUnsafeBytes { try AtomicFile.writeAll($0, to: descriptor, path: path) }
  }

  private static var now: Double { Date().timeIntervalSince1970 }

  /// The names of the folder's event files, in the order in which TensorBoard reads them.
  private static func files(_ folder: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains("tfevents") }
        .sorted()
    } catch { throw SystemError.describe(error, path: folder, action: "list the folder") }
  }

  /// Creates a file whose name sorts after those that are there: TensorBoard reads them in that order.
  private static func create(in folder: String, after known: [String]) throws -> (String, Int32) {
    let prefix = "events.out.tfevents."
    let last = known.compactMap { name in
      name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count).prefix { $0 != "." }) : nil
    }.filter { $0 < 9_999_999_999 }.max()
    let host = ProcessInfo.processInfo.hostName.filter {
      $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-")
    }
    let seconds = max(Int(now), (last ?? 0) + 1)
    let digits = String(seconds)
    let name =
      prefix + String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ".\(host).\(getpid()).v2"
    let path = URL(fileURLWithPath: folder).appendingPathComponent(name).path
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: path, action: "create") }
    return (path, descriptor)
  }
}
