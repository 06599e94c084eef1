import Experiments
import Foundation
import Methods
import Reports
import SafeFiles
import TestSupport
import Testing

/// The page in a real browser, where there is one.
struct ReportBrowserTests {
  private static let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test("a browser shows the table's numbers", .enabled(if: browser != nil))
  func numbers() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let results = [1, 2].map { seed in
        CellResult(
          key: "\(seed)", benchmark: "bench", method: "joint", variant: "", seed: seed, episodes: 8,
          tasks: [CellResult.Task(task: "first", gold: 7, chained: 5 + seed, rightAfter: nil)],
          allRight: "11110000", parameters: 1_234_567, steps: 6, tokens: 7, seconds: 1, evaluationSeconds: 1,
          course: [], precision: "float32", machine: "avx2")
      }
      let page = folder.appendingPathComponent("report.html")
      try AtomicFile.write(try Report(experiments: [.init("results", results)]).html, to: page)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: try #require(Self.browser))
      process.arguments = [
        "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        "--user-data-dir=\(folder.appendingPathComponent("profile").path)", page.absoluteString,
      ]
      let output = Pipe()
      process.standardOutput = output
      process.standardError = FileHandle.nullDevice
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let cells = text.matches(of: /<td[^>]*>([^<]*)<\/td>/).map { String($0.1) }
      #expect(cells.contains("87.5 / 81.2 ± 8.8"), "\(cells)")
      #expect(cells.contains("1,234,567") && cells.contains("50.0 ± 0.0"))
    }
  }
}
