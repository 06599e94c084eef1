import ContextLoRA
import Foundation
import InputErrors
import ProjectFixtures
import Runs
import Testing

/// Compares a dry run's estimates with the actual training.
struct DryRunTests {
  private func estimate(_ project: TinyProject, _ settings: [String], steps: Int = 1) throws
    -> TrainingEstimate
  {
    var workflow = try project.workflow()
    workflow = try workflow.applying(overrides: settings)
    let scratch = project.folder.appendingPathComponent("scratch")
    defer { try? FileManager.default.removeItem(at: scratch) }
    return try #require(
      try DryRun(workflow, out: project.out, models: project.folder.path, steps: steps).run(scratch: scratch))
  }

  @Test("the longest training that a workflow can ask for is estimated, too")
  func longest() throws {
    try TinyProject.with { project in
      let estimate = try estimate(
        project, ["training.epochs=1000000", "training.rounds=1000", "training.validateEvery=7"])
      #expect(estimate.phases.count == 3000 && estimate.steps == 3000 * 4_000_000)
      let once = try self.estimate(project, ["training.epochs=1"])
      let share = Double(estimate.tokens) / Double(once.tokens) / 1e9
      #expect(abs(share - 1) < 0.05)
    }
  }

  @Test(
    "phases, steps, tokens, columns and planned memory are those of the training",
    arguments: [
      [], ["training.epochs=2", "training.maxSteps=5", "training.rounds=2"], ["tasks.mood.maxSteps=1"],
      ["training.frozenRatio=adaptive"], ["training.freeze=importance", "training.frozenRatio=0.5"],
      ["training.schedule=cosine", "training.warmup=0.5", "training.checkpointEvery=1"],
    ])
  func agrees(_ settings: [String]) throws {
    try TinyProject.with { project in
      let before = try FileManager.default.subpathsOfDirectory(atPath: project.folder.path).sorted()
      let estimate = try estimate(project, settings)
      #expect(try FileManager.default.subpathsOfDirectory(atPath: project.folder.path).sorted() == before)

      let workflow = try project.workflow().applying(overrides: settings)
      var phases: [TrainingEstimate.Phase] = []
      let run = TrainingRun(workflow, out: project.out, models: project.folder.path)
      #expect(
        try run.run(resume: false) { event in
          guard case .training(let event, _) = event else { return }
          if case .phaseStarted(let phase, _, let steps, let bytes) = event {
            phases.append(
              TrainingEstimate.Phase(
                phase: phase.index, round: phase.round, task: phase.task, trainable: phase.trainable.count,
                frozen: phase.frozen.count, masked: phase.masked.count, steps: steps, stepLimit: steps,
                tokens: 0,
                stepBytes: bytes, stepSeconds: 0, seconds: 0))
          }
          if case .step(let record) = event { phases[record.phase].tokens += record.tokens }
        })
      var timeless = estimate.phases
      for index in timeless.indices {
        #expect(timeless[index].stepSeconds > 0 && timeless[index].seconds > 0)
        (timeless[index].stepSeconds, timeless[index].seconds) = (0, 0)
      }
      #expect(timeless == phases)
      #expect(estimate.steps == phases.reduce(0) { $0 + $1.steps })
      #expect(estimate.precision == "float32" && estimate.episodes == 14 && estimate.weightBytes > 0)
      #expect(estimate.peakBytes > estimate.weightBytes)
      // A dry run for this folder is now refused, because it contains a run.
      #expect(throws: Refusal.self) { _ = try self.estimate(project, settings) }
    }
  }

  @Test("the same with predicted parents' answers", arguments: ["predicted", "mixed(0.5)"])
  func predicted(_ answers: String) throws {
    try TinyProject.with { project in
      let settings = ["training.parentAnswers=\(answers)", "training.frozenRatio=1"]
      let estimate = try estimate(project, settings, steps: 2)
      #expect(estimate.phases.map(\.task) == ["colour", "mood", "note"])
      #expect(estimate.phases.allSatisfy { $0.steps == 4 && $0.tokens > 0 && $0.seconds > 0 })
      #expect(!FileManager.default.fileExists(atPath: project.out))
    }
  }

  @Test("a stopped dry run returns nil and writes only to its scratch folder")
  func stopped() throws {
    try TinyProject.with { project in
      let scratch = project.folder.appendingPathComponent("scratch")
      let run = DryRun(try project.workflow(), out: nil, models: project.folder.path)
      #expect(try run.run(scratch: scratch, shouldStop: { true }) == nil)
      #expect(!FileManager.default.fileExists(atPath: project.out))
    }
  }

  @Test("time is estimated from tokens and predictions; the first step's excess counts once")
  func arithmetic() {
    var times = PhaseTimes()
    times.setup = 2
    times.end = 0.5
    times.checkpoints = [3, 1]
    // 10 ms per token, one more second in the first step, 20 ms per prediction.
    times.steps = [
      .init(tokens: 100, seconds: 2, dataSeconds: 9, predictions: 4),
      .init(tokens: 100, seconds: 1, dataSeconds: 0.08, predictions: 4),
      .init(tokens: 200, seconds: 2, dataSeconds: 0.04, predictions: 2),
      .init(tokens: 100, seconds: 7, dataSeconds: 0.5, predictions: 0),
    ]
    var work = PhaseWork()
    (work.steps, work.tokens, work.predictions, work.checkpoints) = (10, 1000, 30, 4)
    #expect(abs(times.stepSeconds(work) - (10 + 1 + 0.6)) < 1e-9)
    #expect(abs(times.seconds(work) - (2 + 11.6 + 8 + 0.5)) < 1e-9)
    work.decisions = 3
    work.predictions = 0
    #expect(abs(times.stepSeconds(work) - (10 + 3 + 5)) < 1e-9)
    times.steps = [.init(tokens: 100, seconds: 2)]
    work.decisions = 0
    #expect(abs(times.stepSeconds(work) - 20) < 1e-9)
    #expect(PhaseTimes().stepSeconds(work) == 0)
  }

  @Test("work is scaled from the steps that were counted; a prediction that is kept counts once per sample")
  func extended() {
    func predictions(_ steps: Int, counted: Int, found: Int, repeats: Bool = false, batch: Int = 1) -> Int {
      var work = PhaseWork()
      (work.steps, work.tokens, work.predictions) = (steps, 100, found)
      work.extend(from: counted, predictionsRepeat: repeats, batchSize: batch, samples: 50_000)
      #expect(work.tokens == 100 * steps / min(counted, steps))
      return work.predictions
    }
    #expect(predictions(150_000, counted: 10_000, found: 10_000) == 50_000)
    #expect(predictions(150_000, counted: 10_000, found: 5000) == 25_000)
    #expect(predictions(20_000, counted: 10_000, found: 10_000) == 20_000)
    #expect(predictions(40_000, counted: 10_000, found: 40_000, batch: 4) == 50_000)
    #expect(predictions(150_000, counted: 75_000, found: 50_000) == 50_000)
    #expect(predictions(150_000, counted: 10_000, found: 10_000, repeats: true) == 150_000)
    #expect(predictions(10_000, counted: 10_000, found: 7) == 7)
  }
}
