import ContextLoRA
import Foundation
import LanguageModels
import TaskGraph
import Testing
import TrainingFixtures

struct AdaptiveFreezingTests {
  private func run(tolerance: Double, stopAt: Int? = nil, in folder: URL) throws -> (
    decisions: [FreezeDecision], adapter: LoRAAdapter, phases: [Int: Phase]
  ) {
    let tiny = try TinyWorkflow(frozenRatio: 0.5)
    var options = tiny.options
    options.epochs = 3
    options.adaptiveFreezing = AdaptiveFreezing(tolerance: tolerance, interval: 2)
    let destination = CheckpointDestination(
      url: folder.appendingPathComponent("checkpoint.safetensors"), workflow: "w", model: "m")
    var decisions: [FreezeDecision] = []
    var phases: [Int: Phase] = [:]
    var steps = 0
    func note(_ event: TrainingEvent) {
      if case .step = event { steps += 1 }
      if case .decided(let made, let phase) = event {
        decisions += made
        phases[phase.index] = phase
      }
    }
    var trainer = tiny.trainer(options: options)
    var done = try trainer.run(to: destination, shouldStop: { steps == stopAt }, onEvent: note)
    if !done {
      let checkpoint = try TrainingCheckpoint(destination.url, modules: tiny.adapter.modules)
      trainer = tiny.trainer(options: options)
      done = try trainer.run(from: checkpoint, to: destination, onEvent: note)
    }
    #expect(done)
    return (decisions, trainer.adapter, phases)
  }

  @Test("columns freeze if and only if their inner product is negative, and stay frozen")
  func evidence() throws {
    try TestFolder.with { folder in
      let (decisions, _, phases) = try run(tolerance: 1e9, in: folder)
      #expect(decisions.contains { !$0.freezes.isEmpty } && decisions.contains { $0.freezes.isEmpty })
      for decision in decisions {
        #expect(!decision.isGuard)
        #expect(decision.freezes == decision.innerProducts.filter { $0.value < 0 }.keys.sorted())
      }
      for (index, phase) in phases {
        let frozen = decisions.filter { $0.phase == index }.flatMap(\.freezes)
        #expect(Set(frozen).isSubset(of: phase.frozen))
        #expect(Set(frozen).count == frozen.count, "a column freezes once")
      }
    }
  }

  @Test("the inner product is the rate at which a gradient step for the child lowers the prerequisite's loss")
  func innerProducts() throws {
    let tiny = try TinyWorkflow(frozenRatio: 0)
    let (active, columns) = ([0, 1, 2, 3], [0, 1])
    func gradients(_ task: String, _ samples: Range<Int>, _ adapter: LoRAAdapter) throws -> ColumnGradients {
      try ColumnGradients(
        tiny.model, adapter: adapter, active: active, columns: columns,
        sequences: samples.map { tiny.sequence(task, sample: $0, parentAnswers: nil) }, microBatchTokens: 64)
    }
    let start = tiny.adapterWithValues
    let (child, own) = (try gradients("b", 0..<4, start), try gradients("a", 4..<8, start))
    for (place, column) in columns.enumerated() {
      /// The prerequisite's loss after a gradient-descent step of `size` for the child, in this column only.
      func loss(_ size: Float) throws -> Double {
        var adapter = start
        for (index, module) in adapter.modules.enumerated() {
          for i in 0..<module.inputs {
            adapter.pairs[index].a[column * module.inputs + i] -=
              size * child.flat[child.layout.aOffsets[index] + place * module.inputs + i]
          }
          // The gradient is that of scale · B.
          for o in 0..<module.outputs {
            adapter.pairs[index].b[o * adapter.rank + column] -=
              size * adapter.scale
              * child.flat[child.layout.bOffsets[index] + o * child.layout.columns + place]
          }
        }
        return try gradients("a", 4..<8, adapter).loss
      }
      let size: Float = 0.02
      let slope = try (loss(size) - loss(-size)) / (2 * Double(size))
      let product = child.innerProduct(own, column: column)
      #expect(abs(slope + product) < 0.02 * abs(product) + 1e-4, "column \(column): \(slope), \(product)")
    }
  }

  @Test("if a prerequisite's loss grows beyond the tolerance, all its columns freeze")
  func guarding() throws {
    try TestFolder.with { folder in
      // With a tolerance below -100 %, any loss counts as worse.
      let (decisions, _, phases) = try run(tolerance: -2, in: folder)
      #expect(!decisions.isEmpty && decisions.allSatisfy { $0.isGuard })
      for phase in phases.values {
        #expect(phase.prerequisites.allSatisfy { $0.trainable.isEmpty })
        #expect(phase.trainable == Array(phase.block))
      }
    }
  }

  @Test("answers predicted before columns froze are predicted again")
  func predictedBefore() throws {
    let tiny = try TinyWorkflow(frozenRatio: 0, usesPredictions: true)
    var options = tiny.options
    options.adaptiveFreezing = AdaptiveFreezing(tolerance: -2)
    var last: StepRecord?
    let trainer = tiny.trainer(options: options)
    _ = try trainer.run(to: nil, shouldStop: { last?.totalStep == 12 }) {
      if case .step(let record) = $0 { last = record }
    }
    try #require(last?.task == "b" && last?.step == 6)
    // Everything froze in the first step. In the second epoch, only its four samples are predicted again.
    #expect(tiny.asked["a"]?.count == 4 + 6 + 4)
  }

  @Test("the phase ends with its best state, even if columns have frozen since")
  func bestState() throws {
    try TestFolder.with { folder in
      /// Trains until `stop` returns true after a step. Every validation after the first one is worse.
      func run(_ stop: (StepRecord) -> Bool) throws -> (LoRAAdapter, decisions: [FreezeDecision], StepRecord?)
      {
        let tiny = try TinyWorkflow(frozenRatio: 0)
        tiny.scores = { task, validation in
          ValidationScore(loss: 1, correct: task == "b" && validation == 1 ? 9 : 5, count: 10)
        }
        var options = tiny.options
        options.adaptiveFreezing = AdaptiveFreezing(tolerance: 1e9, interval: 1)
        options.validation = TrainingOptions.Validation(every: 1, budget: TrainingOptions.Budget(steps: 1))
        let destination = CheckpointDestination(
          url: folder.appendingPathComponent("checkpoint.safetensors"), workflow: "w", model: "m")
        var decisions: [FreezeDecision] = []
        var last: StepRecord?
        let trainer = tiny.trainer(options: options)
        _ = try trainer.run(to: destination, shouldStop: { last.map(stop) ?? false }) { event in
          if case .step(let record) = event { last = record }
          if case .decided(let made, _) = event { decisions += made.filter { $0.phase == 1 } }
        }
        return (trainer.adapter, decisions, last)
      }
      let best = try run { $0.task == "b" && $0.step == 1 }
      let end = try run { $0.task == "b" && $0.step == 6 }
      try #require(end.decisions.contains { $0.step >= 1 && !$0.freezes.isEmpty }, "no column froze later")
      #expect(best.0.bits(of: Array(0..<4)) == end.0.bits(of: Array(0..<4)))
      // Resumed after columns froze, before the end.
      for step in 2...5 {
        let tiny = try TinyWorkflow(frozenRatio: 0)
        _ = try run { $0.task == "b" && $0.step == step }
        let url = folder.appendingPathComponent("checkpoint.safetensors")
        let checkpoint = try TrainingCheckpoint(url, modules: tiny.adapter.modules)
        var options = tiny.options
        options.adaptiveFreezing = AdaptiveFreezing(tolerance: 1e9, interval: 1)
        options.validation = TrainingOptions.Validation(every: 1, budget: TrainingOptions.Budget(steps: 1))
        #expect(
          tiny.resumed(options, validationEpisodes: 10).contradiction(of: checkpoint) == nil)
        tiny.scores = { _, _ in ValidationScore(loss: 1, correct: 5, count: 10) }
        var last: StepRecord?
        let trainer = tiny.trainer(options: options)
        _ = try trainer.run(from: checkpoint, to: nil, shouldStop: { last?.step == 6 }) {
          if case .step(let record) = $0 { last = record }
        }
        #expect(best.0.bits(of: Array(0..<4)) == trainer.adapter.bits(of: Array(0..<4)), "resumed at \(step)")
      }
    }
  }

  @Test("a stopped and resumed run has the same decisions and adapter", arguments: [9, 10, 11, 13, 20])
  func resumed(step: Int) throws {
    try TestFolder.with { folder in
      let whole = try run(tolerance: 0.05, in: folder)
      let again = try run(tolerance: 0.05, stopAt: step, in: folder)
      #expect(whole.decisions == again.decisions)
      #expect(whole.adapter == again.adapter)
    }
  }
}
