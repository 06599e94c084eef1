import Foundation
import ProjectFixtures
import Testing

@Suite("contexture prompt") struct PromptTests {
  @Test func showsWhatIsReadAndLearnt() throws {
    try TinyProject.with { project in
      func show(_ options: String...) throws -> Program.Outcome {
        try Program.run(["prompt", "workflow.yaml"] + options, in: project.folder)
      }
      let text = try show("--task", "mood", "--number", "2")
      #expect(text.status == 0, "\(text)")
      let json = try show("--task", "mood", "--number", "2", "--format", "json")
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
      let (prompt, reply) = try (#require(object["prompt"] as? String), #require(object["reply"] as? String))
      #expect(text.output.hasSuffix("\n\n\(prompt)>>>\(reply)<<<\n"))
      #expect(text.output.contains("train.jsonl:2: episode '"))
      #expect(prompt.contains("colour: "), "the parent's recorded answer")
      let read = try #require(object["promptTokens"] as? [Int]).count
      #expect(text.output.contains("task 'mood': \(read) input tokens, "))
    }
  }

  @Test func refusesWhatIsNotThere() throws {
    try TinyProject.with { project in
      for (options, problem) in [
        (["--task", "mod"], "--task: "), (["--task", "mood", "--number", "0"], "--number: "),
        (["--task", "mood", "--number", "99999"], "--number: "),
      ] {
        let outcome = try Program.run(["prompt", "workflow.yaml"] + options, in: project.folder)
        #expect(outcome.status == 2 && outcome.errors.hasPrefix("contexture: \(problem)"), "\(outcome)")
      }
    }
  }
}
