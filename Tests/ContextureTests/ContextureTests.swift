import Contexture
import Foundation
import ProjectFixtures
import Synchronization
import TestSupport
import Testing

/// The library as another package sees it: only the public API.
struct ContextureTests {
  private func withProject(_ body: (TinyProject) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "contexture-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(TinyProject(in: folder))
  }

  private static let questions = [
    "colour": Question("Which?", options: ["red", "green", "blue"]),
    "mood": Question("How?", options: ["calm", "wild"]), "note": Question("What?"),
  ]

  @Test func aWorkflowIsTrainedAndAnswersFromManyTasksAtOnce() async throws {
    try await withProject { project in
      let workflow = try Workflow(contentsOf: project.workflowFile, settings: ["training.maxSteps=3"])
      #expect(
        workflow.tasks == ["colour", "mood", "note"] && workflow.parents(of: "note") == ["colour", "mood"])
      let steps = Mutex<[TrainingStep]>([])
      try await TrainingRun(workflow, out: project.out, models: project.folder.path).run { step in
        steps.withLock { $0.append(step) }
      }
      #expect(steps.withLock { $0.map(\.totalStep) } == Array(1...9))

      let trained = try await TrainedWorkflow(contentsOf: project.out, models: project.folder.path)
      #expect(trained.isComplete && trained.workflow.name == "tiny")
      let scenes = (0..<6).map { "a thing, number \($0)" }
      var alone: [Answers] = []
      for scene in scenes {
        alone.append(try await trained.answer(["scene": scene], questions: Self.questions))
      }
      #expect(alone[0].tasks == workflow.tasks)
      #expect(["red", "green", "blue"].contains(alone[0]["colour"].text))
      #expect(abs(alone[0]["colour"].optionProbabilities.reduce(0, +) - 1) < 1e-9)
      #expect(alone[0]["note"].optionProbabilities.isEmpty && alone[0]["note"].probability > 0)

      try await withThrowingTaskGroup(of: (Int, Answers).self) { group in
        for index in 0..<24 {
          group.addTask {
            let scene = scenes[index % scenes.count]
            return (index, try await trained.answer(["scene": scene], questions: Self.questions))
          }
        }
        for try await (index, answers) in group { #expect(answers == alone[index % scenes.count]) }
      }

      let evaluation = try await trained.evaluate(limit: 4)
      #expect(evaluation.episodes == 4 && evaluation.tasks.map(\.name) == ["colour", "mood", "note"])
      #expect(evaluation.tasks[0].goldAccuracy == evaluation.tasks[0].chainedAccuracy)
    }
  }

  @Test func questionsOfTheWorkflowFileNeedNotBeGiven() async throws {
    try await withProject { project in
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
        .replacing("name: colour,", with: "name: colour, question: Which?, options: [red, green, blue],")
        .replacing("name: mood,", with: "name: mood, question: How?, options: [calm, wild],")
        .replacing("name: note,", with: "name: note, question: What?,")
      try text.write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      let workflow = try Workflow(contentsOf: project.workflowFile, settings: ["training.maxSteps=1"])
      try await TrainingRun(workflow, out: project.out, models: project.folder.path).run()
      let trained = try await TrainedWorkflow(contentsOf: project.out, models: project.folder.path)
      let answers = try await trained.answer(["scene": "a red thing"])
      #expect(try await trained.answer(["scene": "a red thing"], questions: Self.questions) == answers)

      func refusal(_ episode: Episode) async -> String {
        do {
          _ = try await trained.answer(episode)
          return ""
        } catch let error as any InputError {
          return error.description
        } catch { return "another error: \(error)" }
      }
      #expect(
        await refusal(Episode(id: "e", inputs: [:]))
          == "episode 'e': lacks the input 'scene' that the task 'colour' reads; add it")
      let other = Episode(inputs: ["scene": "x"], questions: ["colours": Question("?")])
      #expect(
        await refusal(other).contains("'colours', which is not a task; name one of: colour, mood, note"))
      let same = Episode(inputs: ["scene": "x"], questions: ["mood": Question("?", options: ["a", "a"])])
      #expect(await refusal(same).contains("options for the task 'mood'"))
      let long = Episode(inputs: ["scene": String(repeating: "x ", count: 4000)])
      #expect(await refusal(long).contains("exceed the context of 256"))
    }
  }

  @Test func whatIsCancelledEnds() async throws {
    try await withProject { project in
      let workflow = try Workflow(contentsOf: project.workflowFile, settings: ["training.epochs=3"])
      let run = TrainingRun(workflow, out: project.out, models: project.folder.path)
      let (began, wasCancelled) = (AsyncStream<Void>.makeStream(), DispatchSemaphore(value: 0))
      let training = Task {
        // The first step does not end before the task is cancelled.
        try await run.run { step in
          guard step.totalStep == 1 else { return }
          began.continuation.yield()
          wasCancelled.wait()
        }
      }
      for await _ in began.stream { break }
      training.cancel()
      wasCancelled.signal()
      await #expect(throws: CancellationError.self) { try await training.value }
      // It can be resumed: the checkpoint was written.
      try await run.run(resume: true)

      let trained = try await TrainedWorkflow(contentsOf: project.out, models: project.folder.path)
      let cancelled = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await trained.answer(["scene": "a thing"], questions: Self.questions)
      }
      await #expect(throws: CancellationError.self) { try await cancelled.value }
      let answers = try await trained.answer(["scene": "a thing"], questions: Self.questions)
      #expect(answers.tasks.count == 3)
    }
  }
}
