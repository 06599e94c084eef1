import Checkpoint
import ContextLoRA
import Foundation

/// `metrics.jsonl`: one line an optimiser step, flushed with every checkpoint.
final class MetricsFile {
  private let url: URL
  private let handle: FileHandle
  private let encoder = JSONEncoder()

  /// Opens the file, dropping what came after step `steps`: those steps will be taken again.
  init(_ url: URL, keeping steps: Int) throws {
    self.url = url
    encoder.outputFormatting = [.sortedKeys]
    let old = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
    let kept = old.split(separator: "\n").prefix(steps).map { $0 + "\n" }.joined()
    try AtomicFile.write(kept, to: url)
    do {
      handle = try FileHandle(forWritingTo: url)
      try handle.seekToEnd()
    } catch {
      throw RunError(url.path, "cannot be opened", "check the permissions of the run folder")
    }
  }

  deinit { try? handle.close() }

  func append(_ record: StepRecord) throws {
    // JSON has no infinities: a step that diverged is told by the error that follows.
    guard record.loss.isFinite, record.gradientNorm.isFinite else { return }
    var record = record
    if record.validation?.score.loss.isFinite == false { record.validation = nil }
    do {
      try handle.write(contentsOf: try encoder.encode(record) + Data([10]))
    } catch {
      throw RunError(url.path, "cannot be written", "check the free space of the disk")
    }
  }

  func synchronize() throws {
    do { try handle.synchronize() } catch {
      throw RunError(url.path, "cannot be written", "check the free space of the disk")
    }
  }
}
