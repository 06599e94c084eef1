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
      let workflow = try Workflow(contentsOfFile: project.workflowFile, settings: ["training.maxSteps=3"])
      #expect(workflow.tasks.map(\.name) == ["colour", "mood", "note"])
      #expect(workflow.tasks[2].parents == ["colour", "mood"] && workflow.tasks[0].inputs == ["scene"])
      let events = Mutex<[TrainingEvent]>([])
      let result = try await TrainingRun(workflow, out: project.out, models: project.folder.path)
        .run { event in events.withLock { $0.append(event) } }
      #expect(result.totalSteps == 9 && result.warnings.isEmpty)
      #expect(events.withLock { $0.contains { $0.isPreparing } })
      let steps = events.withLock { $0.compactMap(\.trainingStep) }
      #expect(steps.map(\.totalStep) == Array(1...9))
      #expect(steps.allSatisfy { $0.plannedSteps == 3 && $0.plannedTotalSteps == 9 })
      #expect(
        events.withLock { $0.filter { $0.trainingStep == nil && !$0.isPreparing } }
          == ["colour", "mood", "note"].map { .phaseStarted(task: $0, step: 0, plannedSteps: 3) })

      let trained = try await TrainedWorkflow(contentsOf: project.out, models: project.folder.path)
      #expect(trained.isComplete && trained.name == "tiny" && trained.tasks == workflow.tasks)
      let scenes = (0..<6).map { "a thing, number \($0)" }
      var alone: [Answers] = []
      for scene in scenes {
        alone.append(try await trained.answer(["scene": scene], questions: Self.questions))
      }
      #expect(alone[0].map(\.task) == workflow.tasks.map(\.name))
      #expect(alone[0].answer(to: "colour") == alone[0]["colour"] && alone[0].answer(to: "smell") == nil)
      let encoded = try JSONEncoder().encode(alone[0])
      #expect(try JSONDecoder().decode(Answers.self, from: encoded) == alone[0])
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
      #expect(evaluation.tasks.allSatisfy { $0.majorityAccuracy != nil && $0.isLearnt != nil })
    }
  }

  @Test func questionsOfTheWorkflowFileNeedNotBeGiven() async throws {
    try await withProject { project in
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
        .replacing("name: colour,", with: "name: colour, question: Which?, options: [red, green, blue],")
        .replacing("name: mood,", with: "name: mood, question: How?, options: [calm, wild],")
        .replacing("name: note,", with: "name: note, question: What?,")
      try text.write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      let workflow = try Workflow(
        contentsOf: URL(fileURLWithPath: project.workflowFile), settings: ["training.maxSteps=1"])
      try await TrainingRun(workflow, out: project.out, models: project.folder.path).run()
      let trained = try await TrainedWorkflow(contentsOf: project.out, models: project.folder.path)
      let answers = try await trained.answer(["scene": "a red thing"])
      #expect(try await trained.answer(["scene": "a red thing"], questions: Self.questions) == answers)

      // A question in other words keeps the options, and the other way round.
      let partial = ["colour": Question("Which one?"), "mood": Question(options: ["calm", "wild", "odd"])]
      let other = try await trained.answer(["scene": "a red thing"], questions: partial)
      #expect(other["colour"].optionProbabilities.count == 3 && other["mood"].optionProbabilities.count == 3)
      let free = try await trained.answer(["scene": "x"], questions: ["colour": Question(options: [])])
      #expect(free["colour"].optionProbabilities.isEmpty)

      func problem(_ episode: Episode, of trained: TrainedWorkflow) async -> RequestError.Problem? {
        do {
          _ = try await trained.answer(episode)
        } catch let error as RequestError {
          #expect("\(error)".hasPrefix("episode '\(episode.id)': ") && "\(error)".contains("; "))
          return error.problem
        } catch { Issue.record(error) }
        return nil
      }
      func asked(_ task: String, _ question: Question) -> Episode {
        Episode(inputs: ["scene": "x"], questions: [task: question])
      }
      let missing = Episode(id: "e", inputs: [:])
      #expect(await problem(missing, of: trained) == .missingInput("scene", task: "colour"))
      #expect(
        await problem(asked("colours", Question("?")), of: trained)
          == .unknownTask("colours", known: ["colour", "mood", "note"]))
      #expect(
        await problem(asked("mood", Question("?", options: ["a", "a"])), of: trained)
          == .invalidOptions(["a", "a"], task: "mood"))
      let long = Episode(inputs: ["scene": String(repeating: "x ", count: 4000)])
      guard
        case .promptTooLong(task: "colour", tokens: 4000..., limit: 256) = await problem(long, of: trained)
      else {
        Issue.record("a prompt of 4000 words is possible")
        return
      }

      let limited = try await TrainedWorkflow(
        contentsOf: URL(fileURLWithPath: project.out), models: project.folder.path, concurrency: 1,
        maximumPromptTokens: 90, maximumAnswerTokens: 1)
      let cut = try await limited.answer(["scene": "a"])
      #expect(cut["colour"].isCut == false && cut["note"].isCut)
      let middling = Episode(inputs: ["scene": String(repeating: "x ", count: 90)])
      guard case .promptTooLong(task: "colour", _, limit: 90) = await problem(middling, of: limited)
      else {
        Issue.record("a prompt above the limit is possible")
        return
      }
      _ = try await trained.answer(middling)
    }
  }

  @Test func aTrainingIsPlannedOverDevices() async throws {
    try await withProject { project in
      let cluster = project.folder.appendingPathComponent("cluster.yaml").path
      try "devices: [{kind: orin-nano, count: 2}]\nnetworks: [{kind: ethernet}]".write(
        toFile: cluster, atomically: true, encoding: .utf8)
      let workflow = try Workflow(contentsOfFile: project.workflowFile)
      let plan = try await TrainingPlan(workflow, cluster: cluster, models: project.folder.path)
      #expect(plan.phases.map(\.task) == ["colour", "mood", "note"])
      #expect(plan.phases.allSatisfy { $0.stepTime > .zero } && plan.text.contains("orin-nano-1"))
      #expect(try JSONSerialization.jsonObject(with: plan.json()) is [String: Any])

      // Nothing is assumed about data that is not there.
      try FileManager.default.removeItem(at: project.folder.appendingPathComponent("data"))
      await #expect {
        _ = try await TrainingPlan(workflow, cluster: cluster, models: project.folder.path)
      } throws: {
        $0 is any InputError && "\($0)".contains("data/train.jsonl")
      }
    }
  }

  @Test func whatIsCancelledEnds() async throws {
    try await withProject { project in
      let workflow = try Workflow(contentsOfFile: project.workflowFile, settings: ["training.epochs=3"])
      let run = TrainingRun(workflow, out: project.out, models: project.folder.path)
      let (began, wasCancelled) = (AsyncStream<Void>.makeStream(), DispatchSemaphore(value: 0))
      let training = Task {
        // The first step does not end before the task is cancelled.
        try await run.run { event in
          guard event.trainingStep?.totalStep == 1 else { return }
          began.continuation.yield()
          wasCancelled.wait()
        }
      }
      for await _ in began.stream { break }
      training.cancel()
      wasCancelled.signal()
      await #expect(throws: CancellationError.self) { try await training.value }
      // It can be resumed: the checkpoint was written.
      let resumed = Mutex<[TrainingEvent]>([])
      try await run.run(resume: .ifBegun) { event in resumed.withLock { $0.append(event) } }
      #expect(resumed.withLock { $0.first { !$0.isPreparing } } == .resumed(totalSteps: 1))
      // Nothing is left to do.
      let again = try await run.run(resume: .required)
      #expect(again.totalSteps == resumed.withLock { $0.last?.trainingStep?.totalStep })

      let trained = try await TrainedWorkflow(contentsOf: project.out, models: project.folder.path)
      let cancelled = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await trained.answer(["scene": "a thing"], questions: Self.questions)
      }
      await #expect(throws: CancellationError.self) { try await cancelled.value }
      let answers = try await trained.answer(["scene": "a thing"], questions: Self.questions)
      #expect(answers.count == 3)
    }
  }
}

extension TrainingEvent {
  fileprivate var isPreparing: Bool {
    if case .preparing = self { true } else { false }
  }

  fileprivate var trainingStep: TrainingStep? {
    if case .step(let step) = self { step } else { nil }
  }
}
