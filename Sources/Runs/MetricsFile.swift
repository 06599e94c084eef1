import Checkpoint
import ContextLoRA
import Foundation
import InputErrors
import SafeFiles

/// `metrics.jsonl`: one line for each optimiser step, written to disk before any checkpoint that includes the
/// step.
final class MetricsFile {
  private let url: URL
  private let handle: FileHandle
  private let encoder = JSONEncoder()

  /// Opens the file and drops lines after step `steps`: those steps will be repeated.
  ///
  /// - Throws: `Refusal` with the line that is not a step.
  init(_ url: URL, keeping steps: Int) throws {
    self.url = url
    encoder.outputFormatting = [.sortedKeys]
    try AtomicFile.write(try Self.lines(url, upTo: steps), to: url)
    do {
      handle = try FileHandle(forWritingTo: url)
      try handle.seekToEnd()
    } catch {
      throw Refusal(url.path, "cannot be opened", "check the permissions of the run folder")
    }
  }

  private struct Line: Decodable { var totalStep: Int }

  /// The lines of the first `steps` steps. The last line may be truncated, by a full disk or a loss of power.
  private static func lines(_ url: URL, upTo steps: Int) throws -> Data {
    var lines = try RunFolder.contents(url).split(separator: 10, omittingEmptySubsequences: false)
    lines.removeLast()
    let decoder = JSONDecoder()
    var kept = Data()
    for (index, line) in lines.enumerated() where !line.isEmpty {
      guard let step = try? decoder.decode(Line.self, from: line) else {
        throw Refusal("\(url.path):\(index + 1)", "is not a training step", "remove the line, or the file")
      }
      if step.totalStep <= steps { kept += line + [10] }
    }
    return kept
  }

  deinit { try? handle.close() }

  func append(_ record: StepRecord) throws {
    // JSON has no infinities. A step that diverged is reported by the error that follows.
    guard record.loss.isFinite, record.gradientNorm.isFinite else { return }
    var record = record
    if record.validation?.score.loss.isFinite == false { record.validation = nil }
    do {
      try handle.write(contentsOf: try encoder.encode(record) + Data([10]))
    } catch {
      throw Refusal(url.path, "cannot be written", "check the free space of the disk")
    }
  }

  func synchronize() throws {
    do { try handle.synchronize() } catch {
      throw Refusal(url.path, "cannot be written", "check the free space of the disk")
    }
  }
}
