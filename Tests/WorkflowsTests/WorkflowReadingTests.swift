import Foundation
import StrictYAML
import TaskGraph
import TestSupport
import Testing
import Workflows

@Suite struct WorkflowReadingTests {
  @Test func defaults() throws {
    let workflow = try Workflow(yaml: Samples.short, file: "dir/iov.yaml")
    #expect(workflow.name == "iov" && workflow.model == "smollm2-135m" && workflow.data == "data/iov")
    #expect(workflow.system == nil)
    #expect(workflow.tasks.map(\.name) == ["perceive", "decide"])
    #expect(workflow.tasks.map(\.instruction) == ["Say what is ahead.", "Choose what to do."])
    #expect(workflow.tasks.map(\.inputs) == [[], []] && workflow.tasks.map(\.parents) == [[], ["perceive"]])
    #expect(workflow.tasks.map(\.rank) == [nil, nil])
    #expect(workflow.lora.rank == 16 && workflow.lora.alpha == 32 && !workflow.lora.rankStabilized)
    #expect(workflow.lora.scale == 4 && workflow.lora.targets == Projection.allCases)
    let training = workflow.training
    #expect(training.rounds == 1 && training.epochs == 1 && training.maxSteps == nil)
    #expect(training.batchSize == 16 && training.microBatchTokens == 256 && training.staleness == 1)
    #expect(training.prerequisites == .ancestors && training.freeze == .leading)
    #expect(training.frozenRatio == .fixed(1) && training.parentAnswers == .gold)
    #expect(training.answerForm == .letterText && training.learningRate == 1e-3)
    #expect(training.schedule == .wsd && training.warmup == 0.05 && training.minimumRateRatio == 0.1)
    #expect(training.weightDecay == 0 && training.beta1 == 0.9 && training.beta2 == 0.999)
    #expect(training.epsilon == 1e-8 && training.clipNorm == 1 && training.checkpointEvery == 50)
    #expect(training.seed == 0 && training.precision == .auto)
    #expect(training.steps == nil && training.cooldown == 0.2)
    #expect(training.validateEvery == 25 && training.validationEpisodes == 64 && training.patience == 4)
    #expect(training.budget == Budget(steps: nil, tokens: nil, minutes: nil))
    #expect(workflow.graph.levels == [["perceive"], ["decide"]])
    #expect(workflow.rankBlocks["decide"] == 8..<16)
    #expect(workflow.phaseSchedule.map(\.frozen) == [[], Array(0..<8)])
    #expect(workflow.dataFolder == "dir/data/iov")
  }

  /// A workflow of a chain of tasks without `lora.rank`.
  private func chain(_ count: Int, _ ranks: [Int: Int] = [:]) throws -> Workflow {
    let tasks = (0..<count).map { index -> String in
      let parents = index > 0 ? ", parents: [t\(index - 1)]" : ""
      let rank = ranks[index].map { ", rank: \($0)" } ?? ""
      return "  - {name: t\(index), instruction: i\(parents)\(rank)}"
    }
    return try Workflow(
      yaml: "name: c\nmodel: m\ndata: d\ntasks:\n" + tasks.joined(separator: "\n"), file: "c.yaml")
  }

  @Test("without lora.rank, the rank is the nearest to 16 that the tasks permit")
  func defaultRank() throws {
    let expected = [
      1: 16, 2: 16, 3: 15, 4: 16, 5: 15, 6: 18, 7: 14, 8: 16, 9: 18, 10: 20, 11: 11, 12: 12, 15: 15, 17: 17,
      32: 32, 100: 100,
    ]
    for (tasks, rank) in expected {
      let workflow = try chain(tasks)
      #expect(workflow.lora.rank == rank, "\(tasks) tasks")
      // The nearest of all that divide evenly.
      #expect(
        !(1...200).contains { $0.isMultiple(of: tasks) && abs($0 - 16) < abs(rank - 16) }, "\(tasks) tasks")
      #expect(try Workflow(yaml: workflow.canonicalYAML(), file: "c.yaml") == workflow)
    }
    // Tasks with ranks of their own: the rest is shared equally, with at least one column each.
    #expect(try chain(4, [0: 8]).lora.rank == 17 && chain(2, [0: 4]).lora.rank == 16)
    #expect(try chain(3, [1: 16]).lora.rank == 18 && chain(3, [0: 1]).lora.rank == 17)
    #expect(try chain(2, [0: 3, 1: 4]).lora.rank == 7)
  }

  @Test("a workflow has at most 1000 tasks, and reads them in time")
  func manyTasks() throws {
    let workflow = try chain(1000)
    #expect(workflow.lora.rank == 1000 && workflow.phaseSchedule.count == 1000)
    #expect(workflow.task("t999")?.parents == ["t998"] && workflow.task("t1000") == nil)
    #expect {
      try chain(1001)
    } throws: {
      "\($0)" == "c.yaml:5: field 'tasks': 1001 tasks are more than the 1000 that a workflow may have; "
        + "merge tasks, or split the workflow"
    }
  }

  @Test("a task may have very many inputs")
  func manyInputs() throws {
    let names = (0..<90_000).map { "k\($0)" }
    func text(_ names: [String]) -> String {
      "name: c\nmodel: m\ndata: d\ntasks:\n  - {name: t, instruction: i, inputs: [\(names.joined(separator: ", "))]}"
    }
    #expect(try Workflow(yaml: text(names), file: "c.yaml").tasks[0].inputs == names)
    #expect {
      try Workflow(yaml: text(names + ["k7"]), file: "c.yaml")
    } throws: {
      "\($0)" == "c.yaml:5: field 'tasks.t.inputs.90000': the input 'k7' is listed twice; list it once"
    }
  }

  @Test("the limit on a task's answers is kept")
  func answerLimit() throws {
    let short = try Workflow(yaml: Samples.short, file: "iov.yaml")
    #expect(short.tasks.map(\.maxTokens) == [nil, nil] && short.tasks.map(\.answerTokens) == [64, 64])
    #expect(!short.canonicalYAML().contains("maxTokens"))
    let long = try short.applying(overrides: ["tasks.decide.maxTokens=200"])
    #expect(long.tasks.map(\.answerTokens) == [64, 200] && long != short)
    #expect(try Workflow(yaml: long.canonicalYAML(), file: "iov.yaml") == long)
  }

  @Test func firstAdaptedLayer() throws {
    #expect(try Workflow(yaml: Samples.full, file: "iov.yaml").lora.firstLayer == 0)
    let workflow = try Workflow(yaml: Samples.full, file: "iov.yaml", overrides: ["lora.firstLayer=12"])
    #expect(workflow.lora.firstLayer == 12)
    #expect(try Workflow(yaml: workflow.canonicalYAML(), file: "iov.yaml").lora.firstLayer == 12)
    #expect(throws: FieldError.self) {
      try Workflow(yaml: Samples.full, file: "iov.yaml", overrides: ["lora.firstLayer=-1"])
    }
  }

  @Test func questionsOfAllEpisodes() throws {
    let text = Samples.short.replacing(
      "parents: [perceive]",
      with: "parents: [perceive]\n    question: What now?\n    options: [brake, 'no: drive on']")
    let workflow = try Workflow(yaml: text, file: "iov.yaml")
    #expect(workflow.tasks.map(\.question) == [nil, "What now?"])
    #expect(workflow.tasks.map(\.options) == [nil, ["brake", "no: drive on"]])
    #expect(try Workflow(yaml: workflow.canonicalYAML(), file: "iov.yaml") == workflow)
    #expect(try workflow != Workflow(yaml: Samples.short, file: "iov.yaml"))
    for (options, problem) in [
      ("[brake]", "a question cannot have 1 options; give 2 to 26, or leave"),
      ("[]", "a question cannot have 0 options"), ("[a, b, a]", "options.2': the option 'a' is listed twice"),
      ("[a, '']", "options.1': is empty"), ("brake", "expected a list"),
    ] {
      let wrong = text.replacing("[brake, 'no: drive on']", with: options)
      let error = #expect(throws: FieldError.self) { try Workflow(yaml: wrong, file: "iov.yaml") }
      #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }
  }

  @Test func everyField() throws {
    let workflow = try Workflow(yaml: Samples.full, file: "iov.yaml")
    #expect(workflow.system == "You help drivers.\nBe brief.")
    #expect(workflow.tasks.map(\.inputs) == [["scene", "weather"], ["request"]])
    #expect(workflow.tasks.map(\.rank) == [4, nil])
    #expect(workflow.task("next move")?.parents == ["perceive"] && workflow.task("x") == nil)
    #expect(workflow.lora.rank == 12 && workflow.lora.alpha == 24.5 && workflow.lora.rankStabilized)
    #expect(workflow.lora.scale == 24.5 / 6.0.squareRoot())
    #expect(workflow.lora.targets == [.query, .value], "in the order of the projections")
    let training = workflow.training
    #expect(training.rounds == 2 && training.epochs == 3 && training.maxSteps == 100)
    #expect(training.batchSize == 8 && training.microBatchTokens == 512 && training.staleness == 2)
    #expect(training.prerequisites == .direct && training.freeze == .importance)
    #expect(training.frozenRatio == .adaptive(initial: 0.25, tolerance: 0.1))
    #expect(training.parentAnswers == .mixed(0.25) && training.answerForm == .letter)
    #expect(training.learningRate == 2e-4 && training.schedule == .constant && training.warmup == 0.1)
    #expect(training.minimumRateRatio == 0.2 && training.weightDecay == 0.01)
    #expect(training.beta1 == 0.8 && training.beta2 == 0.95 && training.epsilon == 1e-6)
    #expect(training.clipNorm == nil && training.checkpointEvery == 10 && training.seed == 7)
    #expect(training.precision == .float32)
    #expect(training.steps == 90 && training.cooldown == 0.3)
    #expect(training.validateEvery == 20 && training.validationEpisodes == 40 && training.patience == nil)
    #expect(training.budget == Budget(steps: 500, tokens: nil, minutes: 2.5))
    #expect(workflow.rankBlocks.blocks.map(\.columns) == [0..<4, 4..<12])
    #expect(workflow.phaseSchedule.count == 4)
    #expect(workflow.phaseSchedule.frozenRatio == 0.25)
    #expect(
      workflow.phaseSchedule.prerequisiteRule == .direct && workflow.phaseSchedule.freezeRule == .importance)
    #expect(workflow.phaseSchedule[1].prerequisites[0].frozen.count == 1)
    #expect(workflow.dataFolder == "data/iov")
  }

  @Test func ranksOfTheTasksAloneGiveTheRank() throws {
    let workflow = try Workflow(
      yaml: Samples.short, file: "x", overrides: ["tasks.perceive.rank=3", "tasks.decide.rank=5"])
    #expect(workflow.lora.rank == 8 && workflow.rankBlocks["decide"] == 3..<8)
  }

  @Test func formsOfValues() throws {
    func read(_ overrides: String...) throws -> Workflow {
      try Workflow(yaml: Samples.short, file: "/a/b.yaml", overrides: overrides)
    }
    #expect(try read("training.parentAnswers=predicted").training.parentAnswers == .predicted)
    #expect(try read("training.parentAnswers=mixed( 1 )").training.parentAnswers == .mixed(1))
    #expect(try read("training.clipNorm=0").training.clipNorm == nil)
    #expect(try read("training.clipNorm=2.5").training.clipNorm == 2.5)
    #expect(try read("training.frozenRatio=1").training.frozenRatio == .fixed(1))
    #expect(
      try read("training.frozenRatio=adaptive").training.frozenRatio
        == .adaptive(initial: 0.5, tolerance: 0.05))
    #expect(try read("system=").system == nil)
    #expect(try read("system=''").system == "")
    #expect(try read("name=2024").name == "2024", "a number can be a text")
    #expect(try read("data=/d/e").dataFolder == "/d/e")
    #expect(try read("data=d").dataFolder == "/a/d")
    #expect(try read().modelPath == "/a/\(read().model)")
    #expect(try read("model=d/m.gguf").modelPath == "d/m.gguf", "counts from the current folder")
    #expect(try read("model=/d/m.gguf").modelPath == "/d/m.gguf")
    #expect(try read("lora=", "training=~").lora.rank == 16)
    #expect(try read("tasks.decide.inputs=", "tasks.decide.parents=").tasks[1].parents.isEmpty)
    #expect(try read("training.weightDecay=-0.0").canonicalYAML() == read().canonicalYAML())
    #expect(try read("training.seed=9223372036854775807").training.seed == .max)
  }

  @Test func aliases() throws {
    let yaml = Samples.short.replacingLast("Choose what to do.", "*what").replacingLast(
      "Say what", "&what Say what")
    #expect(try Workflow(yaml: yaml, file: "x").tasks[1].instruction == "Say what is ahead.")
    // Stars elsewhere are text, also beside characters for private use.
    for text in ["'*what*'", "\"*a \u{100000}*b\"", "a *b* c", "2*3 # *no"] {
      let yaml = Samples.short.replacingLast("Choose what to do.", text)
      let read = try Workflow(yaml: yaml, file: "x").tasks[1].instruction
      #expect(read == text.replacing(/^['"]|['"]$| # .*/, with: ""))
    }
    let escaped = Samples.short.replacingLast("Choose what to do.", #""*a \U00100000 \U00100001""#)
    #expect(try Workflow(yaml: escaped, file: "x").tasks[1].instruction == "*a \u{100000} \u{100001}")
  }

  @Test func filesAreRead() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("iov.yaml").path
      try Samples.full.write(toFile: path, atomically: true, encoding: .utf8)
      let workflow = try Workflow(contentsOf: path, overrides: ["training.seed=8"])
      #expect(workflow.training.seed == 8 && workflow.file == path)
      #expect(workflow.dataFolder == folder.path + "/data/iov")
    }
  }

  @Test func aByteOrderMarkIsSkipped() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("iov.yaml").path
      try Samples.full.write(toFile: path, atomically: true, encoding: .utf8)
      let plain = try Workflow(contentsOf: path)
      try ("\u{FEFF}" + Samples.full).write(toFile: path, atomically: true, encoding: .utf8)
      #expect(try Workflow(contentsOf: path).canonicalYAML() == plain.canonicalYAML())
    }
  }
}

extension String {
  /// The text with the last occurrence of a part replaced.
  func replacingLast(_ part: String, _ other: String) -> String {
    guard let range = range(of: part, options: .backwards) else { return self }
    return replacingCharacters(in: range, with: other)
  }
}
