import ContextLoRA
import Datasets
import Foundation
import ProjectFixtures
import Runs
import Testing
import Workflows

/// Runs with validation during training.
struct ValidatedTrainingTests {
  private struct Killed: Error {}

  private func train(
    _ project: TinyProject, _ workflow: Workflow, out: String? = nil, resume: Bool = false,
    killAfter step: Int? = nil
  ) throws -> [TrainingWarning] {
    var warnings: [TrainingWarning] = []
    let run = TrainingRun(workflow, out: out ?? project.out, models: project.folder.path)
    _ = try run.run(resume: resume) { event in
      if case .training(.warning(let warning, _), _) = event { warnings.append(warning) }
      guard let step, case .training(.step(let record), _) = event, record.totalStep == step else { return }
      throw Killed()
    }
    return warnings
  }

  /// The metrics without the times.
  private func records(_ folder: String) throws -> [StepRecord] {
    try String(contentsOfFile: folder + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map {
      var record = try JSONDecoder().decode(StepRecord.self, from: Data($0.utf8))
      record.seconds = 0
      record.validation?.seconds = 0
      return record
    }
  }

  @Test(
    "killed anywhere and resumed: the same adapter, checkpoint, metrics and warnings",
    arguments: ["gold", "predicted"], ["0.5", "1", "adaptive"])
  func killedAndResumed(parentAnswers: String, frozenRatio: String) throws {
    try TinyProject.with { project in
      let workflow = try project.workflow(
        "training.parentAnswers=\(parentAnswers)", "training.frozenRatio=\(frozenRatio)",
        "training.validateEvery=3", "training.patience=2", "training.steps=6")
      let whole = project.folder.appendingPathComponent("whole").path
      _ = try train(project, workflow, out: whole)
      let expected = try records(whole)
      #expect(expected.contains { $0.validation?.isBest == true })
      for step in [1, 3, 4, 6, 7, 9, 13] {
        let out = project.folder.appendingPathComponent("killed-\(step)").path
        #expect(throws: Killed.self) { try train(project, workflow, out: out, killAfter: step) }
        _ = try train(project, workflow, out: out, resume: true)
        for file in ["adapter.safetensors", "checkpoint.safetensors", "warnings.jsonl"] {
          let (a, b) = ("\(whole)/\(file)", "\(out)/\(file)")
          let isThere = FileManager.default.fileExists(atPath: a)
          #expect(isThere == FileManager.default.fileExists(atPath: b))
          #expect(
            !isThere || FileManager.default.contentsEqual(atPath: a, andPath: b), "\(file) after \(step)")
        }
        #expect(try records(out) == expected, "killed after step \(step)")
      }
    }
  }

  @Test("the best state of each phase is kept")
  func bestState() throws {
    try TinyProject.with { project in
      let workflow = try project.workflow(
        "training.learningRate=1e-2", "training.steps=30", "training.validateEvery=5", "training.patience=0",
        "training.frozenRatio=1")
      _ = try train(project, workflow)
      let own = try records(project.out).filter { $0.task == "colour" }.compactMap(\.validation)
      let best = try #require(own.last { $0.isBest })
      #expect(own.allSatisfy { $0.score.accuracy <= best.score.accuracy })
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path)
      let report = try trained.evaluator().evaluate(trained.episodes(.valid)) { _, _, _, _ in }
      for task in report.tasks {
        let kept = try records(project.out).last { $0.task == task.task && $0.validation?.isBest == true }
        // Free text is correct if greedy decoding gives the gold reply token by token.
        #expect(task.gold.correct == kept?.validation?.score.correct, "\(task.task)")
      }
    }
  }

  @Test("a task that is not learnt, and columns that do not move, are reported by name")
  func notLearnt() throws {
    try TinyProject.with { project in
      let warnings = try train(
        project,
        project.workflow("training.learningRate=1e-30", "training.validateEvery=2", "training.weightDecay=0"))
      #expect(warnings.contains(.columnsDidNotMove(task: "colour")))
      #expect(warnings.contains { $0.name == "not learnt" && $0.task == "note" })
      let logged = try RunFolder(project.out).loggedWarnings()
      #expect(logged.map(\.text) == warnings.map(\.text))
      #expect(logged.contains { $0.text.contains("not learnt; give it more steps (tasks.note.steps") })
    }
  }

  @Test("a diverging loss is reported during training")
  func diverging() throws {
    try TinyProject.with { project in
      // The rate rises through the whole phase, so the task learns at first.
      let warnings = try train(
        project,
        project.workflow(
          "training.learningRate=0.1", "training.warmup=1", "training.clipNorm=0", "training.validateEvery=5",
          "training.patience=0", "training.steps=120", "training.maxSteps=120"))
      let losses = try records(project.out).compactMap(\.validation?.score.loss)
      #expect(warnings.contains { $0.name == "diverging" && $0.task == "colour" }, "\(losses)")
    }
  }

  @Test("a prerequisite whose accuracy drops while a child trains is reported")
  func prerequisite() throws {
    try TinyProject.with { project in
      let warnings = try train(
        project,
        project.workflow(
          "tasks.colour.steps=100", "training.learningRate=2e-2", "training.frozenRatio=0",
          "training.validateEvery=10", "tasks.mood.steps=60", "tasks.note.steps=60", "training.patience=0",
          "training.weightDecay=0"))
      #expect(
        warnings.contains {
          if case .prerequisiteDropped(_, _, let before, let after) = $0 {
            before > after
          } else {
            false
          }
        }, "\(warnings)")
    }
  }

  @Test("validation data must exist, unless validation is off")
  func missing() throws {
    try TinyProject.with { project in
      try FileManager.default.removeItem(at: project.folder.appendingPathComponent("data/valid.jsonl"))
      #expect {
        _ = try train(project, project.workflow("training.validateEvery=2"))
      } throws: {
        "\($0)".contains(
          "valid.jsonl: is missing, but training validates on it unless training.validateEvery is 0; write some"
        )
          && !FileManager.default.fileExists(atPath: project.out)
      }
      // Adaptive freezing needs validation episodes too.
      #expect {
        _ = try train(project, project.workflow("training.frozenRatio=adaptive"))
      } throws: {
        "\($0)".contains("or set training.frozenRatio to a number and training.validateEvery to 0")
      }
      _ = try train(project, project.workflow())
    }
  }
}
