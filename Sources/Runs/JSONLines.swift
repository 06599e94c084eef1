import Foundation
import Glibc
import InputErrors
import SafeFiles

/// A file with one JSON object per line that grows during a run.
///
/// Text after the last line break is an incomplete line, left by a full disk or a loss of power. It is not
/// read.
package struct JSONLines: Sendable {
  private let url: URL

  /// The file need not exist yet.
  package init(_ url: URL) { self.url = url }

  private struct Step: Decodable { var totalStep: Int }

  /// The complete lines; `nil` if there is no file.
  private func lines() throws -> [Data]? {
    try FileContents.readIfPresent(url)?.split(separator: 10, omittingEmptySubsequences: false).dropLast()
      .map { Data($0) }
  }

  private func damaged(_ index: Int) -> Refusal {
    Refusal("\(url.path):\(index + 1)", "is damaged", "remove the line, or the file")
  }

  /// All complete lines; empty if there is no file.
  ///
  /// - Throws: an error with the line that is damaged, or the reason why the file cannot be read.
  package func read<Line: Decodable>(_: Line.Type) throws -> [Line] {
    try (lines() ?? []).enumerated().filter { !$1.isEmpty }.map { index, line in
      guard let line = try? JSONDecoder().decode(Line.self, from: line) else { throw damaged(index) }
      return line
    }
  }

  /// Drops an incomplete last line and, if `steps` is not `nil`, the lines with a later `totalStep`, because
  /// those steps will be repeated. Damaged lines after a line of step `steps` are dropped too.
  ///
  /// - Throws: an error with the first damaged line among those to keep, or the reason why the file cannot be
  ///   read or written.
  package func keep(upTo steps: Int? = nil) throws {
    guard let lines = try lines() else { return }
    var (kept, last) = (Data(), 0)
    for (index, line) in lines.enumerated() where !line.isEmpty {
      if let steps {
        guard let step = try? JSONDecoder().decode(Step.self, from: line).totalStep else {
          if last >= steps { continue }
          throw damaged(index)
        }
        last = step
        if step > steps { continue }
      }
      kept += line + [10]
    }
    try AtomicFile.write(kept, to: url)
  }

  /// Appends lines.
  ///
  /// - Throws: an error with the reason why the file cannot be written.
  package func append(_ lines: [some Encodable]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = try lines.reduce(into: Data()) { $0 += try encoder.encode($1) + [10] }
    let descriptor = open(url.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "open") }
    defer { close(descriptor) }
    try data.withUnsafeBytes { try AtomicFile.writeAll($0, to: descriptor, path: url.path) }
  }

  /// Flushes appended lines to the disk.
  ///
  /// - Throws: an error with the system's reason.
  package func synchronize() throws {
    let descriptor = open(url.path, O_WRONLY | O_CLOEXEC)
    if descriptor < 0, errno == ENOENT { return }
    guard descriptor >= 0 else { throw SystemError.describe(errno, path: url.path, action: "open") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else {
      throw SystemError.describe(errno, path: url.path, action: "synchronise to the disk")
    }
  }
}
