import Foundation
import TestSupport
import Testing

/// The program accepts what the README tells users to write.
@Suite("README") struct ReadmeTests {
  /// The contents of the first fenced block of a language.
  private func block(_ language: String) throws -> String {
    let text = try String(
      contentsOf: Fixtures.packageRoot.appendingPathComponent("README.md"), encoding: .utf8)
    let start = try #require(text.range(of: "\n```\(language)\n", options: .backwards))
    let end = try #require(text.range(of: "\n```", range: start.upperBound..<text.endIndex))
    return String(text[start.upperBound..<end.lowerBound])
  }

  @Test func itsWorkflowAndEpisodeAreRead() throws {
    let episode = try block("json").replacing("\n", with: " ")
    try Fixtures.withTemporaryDirectory { folder in
      let data = folder.appendingPathComponent("data/calls")
      try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
      for split in ["train", "valid", "test"] {
        try Data(episode.utf8).write(to: data.appendingPathComponent("\(split).jsonl"))
      }
      try Data(try block("yaml").utf8).write(to: folder.appendingPathComponent("calls.yaml"))
      let graph = try Program.run(["graph", "calls.yaml"], in: folder)
      #expect(graph.status == 0 && graph.output.contains("4 tasks, 3 levels, rank 16"), "\(graph)")
      let check = try Program.run(["data", "check", "data/calls", "--workflow", "calls.yaml"], in: folder)
      #expect(check.status == 0 && check.errors.isEmpty, "\(check)")
    }
  }

  @Test func everyFieldOfTheWorkflowFileIsDocumented() throws {
    let page = try String(
      contentsOf: Fixtures.packageRoot.appendingPathComponent("docs/workflow-file.md"), encoding: .utf8)
    for (setting, prefix) in [
      ("nothing=1", ""), ("lora.nothing=1", "lora."), ("training.nothing=1", "training."),
    ] {
      // The refusal of an unknown field lists the known ones.
      let outcome = try Program.run(["graph", "Examples/iov.yaml", "--set", setting])
      let list = try #require(outcome.errors.range(of: "use one of: "))
      let fields = outcome.errors[list.upperBound...].dropLast().split(separator: ", ")
      #expect(fields.count >= 4)
      for field in fields { #expect(page.contains("| `\(field)` |"), "\(prefix)\(field)") }
    }
  }
}
