import Foundation
import ProjectFixtures
import Testing

/// The package in Examples/answers, which `make example` builds under the thread sanitizer.
struct ExamplePackageTests {
  private static let program = ProcessInfo.processInfo.environment["CONTEXTURE_EXAMPLE"]

  @Test(.enabled(if: program != nil, "'make test' builds the example and names it"))
  func anotherPackageAnswersFromTwoTasksAtOnce() throws {
    let program = URL(fileURLWithPath: try #require(Self.program))
    try TinyProject.with { project in
      let trained = try Program.run(
        ["train", "workflow.yaml", "--out", "run", "--set", "training.maxSteps=1"], in: project.folder)
      #expect(trained.status == 0, "\(trained)")
      let outcome = try Program.run(
        [
          "run", "scene=a red thing", "colour=Which?|red|green|blue", "mood=How?|calm|wild", "note=What?",
        ], in: project.folder, shell: "export TSAN_OPTIONS=exitcode=66", program: program)
      #expect(outcome.status == 0, "\(outcome)")
      #expect(!outcome.errors.contains("ThreadSanitizer"), "\(outcome.errors.prefix(4000))")
      let tasks = outcome.output.split(separator: "\n").compactMap { $0.split(separator: ":").first }
      #expect(tasks == ["colour", "mood", "note"], "\(outcome)")
    }
  }
}
