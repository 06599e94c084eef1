import Foundation

/// A report from rank 0 of a job to the program that started it: one line of JSON on standard output, which
/// is not shown.
struct RankReport: Codable {
  /// The optimiser step after which a resumed training continues.
  var resumedAfterStep: Int

  /// Parses a report; `nil` for any other line.
  init?(line: String) {
    guard line.hasPrefix("{"), let report = try? JSONDecoder().decode(Self.self, from: Data(line.utf8)) else {
      return nil
    }
    self = report
  }

  init(resumedAfterStep: Int) { self.resumedAfterStep = resumedAfterStep }

  /// The report as a line.
  var line: String {
    get throws { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
  }

  /// The report for people.
  var text: String { "Resuming after step \(resumedAfterStep)" }
}
