import ContextLoRA
import LanguageModels
import TaskGraph
import Testing
import TrainingFixtures

/// Which columns a phase changes, with weight decay.
struct ColumnIsolationTests {
  @Test(
    "frozen and masked columns stay bit-identical, every trainable column changes",
    arguments: [0, 0.5, 1], [FreezeRule.leading, .importance])
  func isolation(frozenRatio: Double, freezeRule: FreezeRule) throws {
    let tiny = try TinyWorkflow(frozenRatio: frozenRatio, freezeRule: freezeRule, rounds: 2)
    let trainer = tiny.trainer()
    var before = tiny.adapter
    var phases = 0
    var current: Phase?
    _ = try trainer.run(to: nil) { event in
      switch event {
      case .phaseStarted(let phase, _, _, _):
        current = phase
        before = trainer.adapter
      case .phaseFinished(let phase):
        #expect(phase.index == current?.index)
        let untouched = phase.frozen + phase.masked
        #expect(trainer.adapter.bits(of: untouched) == before.bits(of: untouched), "\(phase.task)")
        for column in phase.trainable {
          #expect(trainer.adapter.bits(of: [column]) != before.bits(of: [column]), "column \(column)")
        }
        #expect(phase.frozen.count + phase.trainable.count + phase.masked.count == 8)
        phases += 1
      default: break
      }
    }
    #expect(phases == tiny.schedule.count)
  }

  @Test("masked columns contribute exactly nothing")
  func masked() throws {
    let tiny = try TinyWorkflow(frozenRatio: 0.5)
    var adapter = tiny.adapter
    for module in adapter.pairs.indices {
      for index in adapter.pairs[module].b.indices {
        // Columns from 4 on belong to tasks that `b` must not see; infinite values there must have no effect.
        adapter.pairs[module].b[index] = index % 8 < 4 ? 0.01 : .infinity
      }
    }
    let seen = tiny.schedule.viewColumns(of: "b")
    #expect(seen == [0, 1, 2, 3])
    let view = DeviceAdapter(
      adapter, columns: .inference(seen), configuration: tiny.model.configuration, device: tiny.model.device)
    let logits = try tiny.model.allLogits([1, 2, 3], adapter: view)
    #expect(logits.allSatisfy { $0.allSatisfy(\.isFinite) })
  }

  @Test("results are bit-identical for any number of workers")
  func workers() throws {
    var results: [LoRAAdapter] = []
    for workers in [1, 2, 5] {
      let trainer = try TinyWorkflow(frozenRatio: 0.5, workers: workers).trainer()
      #expect(try trainer.run(to: nil) { _ in })
      results.append(trainer.adapter)
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test("parents' answers are predicted with the columns of `staleness` steps ago", arguments: [0, 1, 2])
  func staleness(steps: Int) throws {
    let tiny = try TinyWorkflow(frozenRatio: 0, usesPredictions: true)
    var options = tiny.options
    options.staleness = steps
    options.checkpointEvery = 1
    let trainer = tiny.trainer(options: options)
    // By phase, the adapter after each step, read from a checkpoint after every step.
    var after: [Int: [LoRAAdapter]] = [:]
    try TestFolder.with { folder in
      let destination = CheckpointDestination(
        url: folder.appendingPathComponent("checkpoint.safetensors"), workflow: "w", model: "m")
      _ = try trainer.run(to: destination) { event in
        if case .phaseStarted(let phase, _, _, _) = event { after[phase.index] = [trainer.adapter] }
        if case .checkpoint(_, let position) = event, position.step > 0 {
          after[position.phase, default: []].append(trainer.adapter)
        }
      }
    }
    let states = try #require(after[1])
    // The first phase whose task reads a's answers is b's.
    let calls = tiny.predictedWith.filter { $0.task == "a" }.map(\.adapter).prefix(states.count)
    #expect(calls.count > 3)
    for (index, call) in calls.enumerated() {
      #expect(call == states[max(0, index - steps)], "step \(index)")
    }
  }
}
