import Foundation
import TestSupport
import Testing

/// Text for users, kept in `Fixtures/snapshots`.
///
/// `make snapshots` rewrites the files; check the differences before committing them.
enum Snapshot {
  private static let isRecording = ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1"

  /// Compares `text` with the file `name`, or writes the file while recording.
  static func check(_ text: String, _ name: String) throws {
    let file = Fixtures.url("snapshots/\(name).txt")
    if isRecording {
      try Data(text.utf8).write(to: file)
      return
    }
    let expected = try? String(contentsOf: file, encoding: .utf8)
    #expect(expected == text, "\(name): run 'make snapshots' if the change is meant")
  }
}
