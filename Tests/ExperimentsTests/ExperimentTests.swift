import Experiments
import Datasets
import Foundation
import InputErrors
import Methods
import ProjectFixtures
import SafeFiles
import TestSupport
import Testing
import Workflows

struct ExperimentTests {
  private static let effort = ExperimentEffort(
    steps: 1, testEpisodes: 10, validationEpisodes: 4, validateEvery: 4)

  private func runner(_ project: TinyProject) -> CellRunner {
    CellRunner(models: project.folder.path, effort: Self.effort)
  }

  private func measure(_ project: TinyProject, _ cells: [ExperimentCell]) throws -> [CellResult] {
    let runner = runner(project)
    return try cells.map { try #require(try runner.measure(runner.prepare($0))) }
  }

  @Test("the same seeds give the same table, byte for byte, and each result is found again")
  func deterministic() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let methods: [Method] = [
        .zeroShot, .fewShot(examples: 2), .joint, .contextLoRA(Method.Partition()), .mole,
      ]
      let cells = methods.flatMap { method in
        [1, 2].map { ExperimentCell(project.workflowFile, method, seed: $0) }
      }
      let first = try measure(project, cells)
      let second = try measure(project, cells)
      let table = MethodTable(first)
      #expect(table.text == MethodTable(second).text)
      #expect(table.rows.map(\.method) == methods.map(\.name))
      #expect(table.rows.allSatisfy { $0.results.map(\.seed) == [1, 2] })
      #expect(table.headline?.hasSuffix(" with joint LoRA.") == true)
      #expect(table.accuracies.allSatisfy { $0.count == 1 + 3 + 4 })
      #expect(table.text.contains("tiny: seeds 1, 2; 10 test episodes"))
      // The last validation comes after the last step.
      for result in first where !result.course.isEmpty {
        #expect(result.course.last?.tokens == result.tokens)
      }

      let store = CellStore(project.folder.appendingPathComponent("results").path)
      for result in first { try store.write(result) }
      for (cell, result) in zip(cells, first) {
        #expect(try store.result(try runner(project).prepare(cell).key) == result)
      }
      #expect(try store.all().count == first.count)
      #expect(try store.result("another") == nil)
    }
  }

  @Test("what a result depends on is in its key")
  func keys() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let cell = ExperimentCell(project.workflowFile, .contextLoRA(Method.Partition()), seed: 1)
      var cells = [cell]
      for change: (inout ExperimentCell) -> Void in [
        { $0.seed = 2 }, { $0.noise = ["colour": 0.1] }, { $0.edges = .none }, { $0.edges = .wrong },
        { $0.overrides = ["training.learningRate=1e-4"] }, { $0.method = .joint },
      ] {
        var other = cell
        change(&other)
        cells.append(other)
      }
      let runner = runner(project)
      let keys = try cells.map { try runner.prepare($0).key }
      #expect(Set(keys).count == cells.count)
      var bad = cell
      bad.noise = ["nothing": 0.1]
      #expect(throws: Refusal.self) { try runner.prepare(bad) }
    }
  }

  @Test("the method, not the workflow, says how columns are partitioned")
  func partition() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let cell = ExperimentCell(project.workflowFile, .contextLoRA(Method.Partition()), seed: 1)
      let key = try runner(project).prepare(cell).key
      for setting in [
        "frozenRatio=0.25", "frozenRatio=adaptive", "prerequisites=direct", "rounds=3", "blockStart=base",
        "freeze=importance", "checkpointEvery=7", "budget={steps: 2}",
      ] {
        var other = cell
        other.overrides = ["training.\(setting)"]
        #expect(try runner(project).prepare(other).key == key)
      }
      var fresh = cell
      fresh.method = .contextLoRA(Method.Partition(start: .fresh))
      #expect(try runner(project).prepare(fresh).key != key)
    }
  }

  @Test("what a method that does not train answers depends on no setting of training")
  func untrained() throws {
    try TinyProject.with(choosesOnly: true) { project in
      for method in [Method.zeroShot, .fewShot(examples: 1)] {
        let cell = ExperimentCell(project.workflowFile, method, seed: 1)
        let key = try runner(project).prepare(cell).key
        for setting in [
          "lora.alpha=7", "training.learningRate=1e-4", "training.steps=3", "tasks.colour.steps=2",
        ] {
          var other = cell
          other.overrides = [setting]
          #expect(try runner(project).prepare(other).key == key)
        }
        for setting in ["training.answerForm=letter", "system=Be brief."] {
          var other = cell
          other.overrides = [setting]
          #expect(try runner(project).prepare(other).key != key)
        }
      }
    }
  }

  @Test("a result has the names of the experiment that shows it")
  func labels() throws {
    try TinyProject.with(choosesOnly: true) { project in
      var cell = ExperimentCell(project.workflowFile, .zeroShot, seed: 3)
      cell.overrides = ["training.precision=float32"]
      let prepared = try runner(project).prepare(cell)
      var result = CellResult.example
      (result.benchmark, result.variant) = ("\u{1b}[2J", "another")
      let own = prepared.labelled(result)
      #expect(own.benchmark == "tiny" && own.method == "zero-shot" && own.variant.isEmpty && own.seed == 3)
      #expect(prepared.title == "tiny, zero-shot, training.precision=float32, seed 3")
    }
  }

  @Test("number formats are two rows only if a method has both")
  func formats() {
    var (other, joint) = (CellResult.example, CellResult.example)
    other.precision = "bfloat16"
    #expect(MethodTable([joint, other]).rows.map(\.name) == ["joint (float32)", "joint (bfloat16)"])
    // All rows are named alike then, so that each has its counterpart.
    var mole = joint
    mole.method = "mole"
    let both = MethodTable([joint, other, mole])
    #expect(both.rows.map(\.name) == ["joint (float32)", "joint (bfloat16)", "mole (float32)"])
    #expect(both.accuracies.map { $0.last ?? "" } == ["against joint", "", "", "="])
    #expect(both.inOnePlace.rows.map(\.name) == ["joint (float32)", "mole (float32)"])
    // The same measurement on two kinds of machines is not two seeds.
    var elsewhere = joint
    elsewhere.machine = "avx512"
    #expect(
      MethodTable([joint, elsewhere, mole]).rows.map(\.name) == [
        "joint (float32 on avx2)", "joint (float32 on avx512)", "mole (float32 on avx2)",
      ])
    // Of two versions of a method, the later one counts.
    var earlier = joint
    (earlier.key, earlier.allRight) = ("method joint\n", "00")
    var later = joint
    later.key = "method joint 2\n"
    for results in [[earlier, later], [later, earlier]] {
      let rows = MethodTable(results).rows
      #expect(rows.count == 1 && rows[0].results == [later])
    }
    other.seed = 2
    #expect(MethodTable([joint, other]).rows.map(\.name) == ["joint"])
    // Variants are compared with joint training of the same variant.
    var own = joint
    own.method = "context-ancestors-d1"
    for variant in ["", "t 10 % wrong"] {
      (joint.variant, own.variant) = (variant, variant)
      let table = MethodTable([joint, own])
      #expect(table.headline?.contains("tie") == true && table.accuracies[2].last == "=")
    }
    own.variant = ""
    #expect(
      MethodTable([joint, own]).headline == nil && MethodTable([joint, own]).accuracies[2].last == "-")
  }

  @Test("rows are compared on the seeds that both have, and only then")
  func commonSeeds() {
    func result(_ method: String, _ seed: Int, _ marks: String) -> CellResult {
      var result = CellResult.example
      (result.method, result.seed, result.allRight) = (method, seed, marks)
      return result
    }
    let own = "context-ancestors-d1"
    let apart = MethodTable([result("joint", 1, "10"), result(own, 2, "11")])
    #expect(apart.headline == nil && apart.accuracies[2].suffix(2) == ["-", "2"])
    #expect(apart.verdict(apart.rows[1], against: apart.rows[0]) == nil)
    let part = MethodTable([result("joint", 1, "10"), result("joint", 3, "11"), result(own, 1, "11")])
    let sentence =
      "Joint LoRA and ContextLoRA tie: every task right in 100.0 % of episodes, 50.0 % with joint LoRA (seeds 1)."
    #expect(part.headline == sentence)
    #expect(part.accuracies[0].last == "seeds" && part.accuracies[1].last == "1, 3")
    #expect(part.markdown(hasTimes: false).contains("Seeds 1, 3; 2 test episodes; accuracies in %"))
  }

  @Test("results of other lengths or data are not in one table")
  func groups() throws {
    try TinyProject.with(choosesOnly: true) { project in
      func result(_ method: Method, _ seed: Int, steps: Double = 1) throws -> CellResult {
        var effort = Self.effort
        effort.steps = steps
        let cell = ExperimentCell(project.workflowFile, method, seed: seed)
        let prepared = try CellRunner(models: project.folder.path, effort: effort).prepare(cell)
        var result = prepared.labelled(.example)
        (result.key, result.steps) = (prepared.key, method.trains ? Int(steps * 4) : 0)
        return result
      }
      let long = [try result(.joint, 1), try result(.contextLoRA(Method.Partition()), 2)]
      let short = [try result(.joint, 1, steps: 0.5)]
      let base = try result(.zeroShot, 1)
      #expect(CellResult.comparable([base] + long + short) == [[base] + short, [base] + long])
      #expect(CellResult.comparable([base]) == [[base]] && CellResult.comparable([]).isEmpty)
      let few = try result(.fewShot(examples: 3), 1)
      #expect(CellResult.comparable([base, few]) == [[base, few]])
      // With other questions, nothing of it is in a table with these.
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
      try text.replacing("instruction: ", with: "instruction: Please ")
        .write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      let asked = [try result(.zeroShot, 1), try result(.joint, 1)]
      #expect(asked[0].key != base.key && asked[1].key != long[0].key)
      #expect(CellResult.comparable([base, asked[0]]) == [[base], [asked[0]]])
      let groups = CellResult.comparable([base, few] + long + asked)
      #expect(groups.count == 2 && groups.contains([base, few] + long) && groups.contains(asked))
    }
  }

  @Test("the share of steps also holds for a workflow that counts epochs")
  func epochs() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
      let count = try DatasetFolder(path: project.workflow().dataFolder)
        .tables(schema: project.workflow().episodeSchema).train.count
      for epochs in [1, 2] {
        try text.replacing("training:\n", with: "training:\n  epochs: \(epochs)\n")
          .write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
        let effort = ExperimentEffort(steps: 0.5, testEpisodes: 2, validationEpisodes: 4, validateEvery: 4)
        let runner = CellRunner(models: project.folder.path, effort: effort)
        let result = try #require(
          try runner.measure(runner.prepare(ExperimentCell(project.workflowFile, .joint, seed: 1))))
        let workflow = try Workflow(contentsOf: project.workflowFile)
        let all = workflow.trainingOptions.stepCount(task: "colour", samples: count)
        #expect(result.steps == 3 * max(2, Int((Double(all) / 2).rounded())))
      }
    }
  }

  @Test("a result of another machine is found if it may count")
  func machines() throws {
    try TinyProject.with(choosesOnly: true) { project in
      func cell(_ precision: String) throws -> CellRunner.Prepared {
        var cell = ExperimentCell(project.workflowFile, .zeroShot, seed: 1)
        cell.overrides = ["training.precision=\(precision)"]
        return try runner(project).prepare(cell)
      }
      let any = try cell("auto")
      let single = try cell("float32")
      #expect(any.keys.count == 9 && Set(any.keys).count == 9 && any.keys[0] == any.key)
      #expect(single.keys.count == 3 && Set(single.keys).isSubset(of: any.keys))
      let elsewhere = try #require(any.keys.last { !single.keys.contains($0) && $0 != any.key })
      let store = CellStore(project.folder.appendingPathComponent("results").path)
      var result = CellResult.example
      result.key = elsewhere
      try store.write(result)
      let tasks = result.tasks.map(\.task)
      #expect(try store.result(among: [any.key], tasks: tasks) == nil)
      #expect(try store.result(among: single.keys, tasks: tasks) == nil)
      #expect(try store.result(among: any.keys, tasks: tasks) == result)
      #expect(throws: Refusal.self) { try store.result(among: any.keys, tasks: ["another"]) }
      var here = result
      (here.key, here.machine, here.seed) = (any.key, "here", 2)
      let table = MethodTable([result, here])
      #expect(table.machines?.contains("on here") == true && MethodTable([result]).machines == nil)
      #expect(
        table.text.contains("Measured in several ways") && table.markdown(hasTimes: false).contains("several")
      )
    }
  }

  @Test("wrong labels, other edges and rounds change what is learnt")
  func variants() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let own = Method.contextLoRA(Method.Partition(frozenRatio: 0.5))
      var cells = [ExperimentCell(project.workflowFile, own, seed: 1)]
      for edges in ExperimentCell.Edges.allCases where edges != .workflow {
        var cell = cells[0]
        cell.edges = edges
        cells.append(cell)
      }
      var noisy = cells[0]
      noisy.noise = ["colour": 0.5]
      cells.append(noisy)
      cells.append(
        ExperimentCell(
          project.workflowFile, .contextLoRA(Method.Partition(frozenRatio: 0.5, rounds: 2)), seed: 1))
      let results = try measure(project, cells)
      #expect(Set(results.map { "\($0.course.map(\.loss))" }).count == results.count)
      #expect(
        results.map(\.variant) == [
          "", "graph: none", "graph: reversed", "graph: wrong", "colour 50 % wrong", "",
        ])
      #expect(results.allSatisfy { $0.steps == results[0].steps })
      #expect(MethodTable(results).rows.count == results.count)
    }
  }

  @Test("all experiments have measurements, and quick ones fewer")
  func catalogue() throws {
    try TinyProject.with { project in
      for experiment in Experiment.all {
        let all = experiment.cells(project.workflowFile, "colour", 1, false)
        let quick = experiment.cells(project.workflowFile, "colour", 1, true)
        #expect(Set(experiment.methods(isQuick: true)).isSubset(of: experiment.methods(isQuick: false)))
        #expect(!quick.isEmpty && quick.count <= all.count && Set(all).count == all.count)
        #expect(Experiment(named: experiment.name) != nil)
      }
      #expect(Experiment(named: "nothing") == nil)
    }
  }

  @Test("a damaged result is refused", arguments: ["", "{}", "[1]", "\u{0}"])
  func damaged(text: String) throws {
    try Fixtures.withTemporaryDirectory { folder in
      try text.write(to: folder.appendingPathComponent("x.json"), atomically: true, encoding: .utf8)
      #expect(throws: Refusal.self) { try CellStore(folder.path).all() }
    }
  }

  @Test("a result with impossible numbers is refused")
  func impossible() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let store = CellStore(folder.path)
      let good = CellResult.example
      let changes: [(inout CellResult) -> Void] = [
        { $0.episodes = 0 }, { $0.allRight = "2" }, { $0.tasks[0].gold = 9 }, { $0.steps = -1 },
        { $0.tasks[0].rightAfter = 2 }, { $0.course[0].accuracy = 3 },
      ]
      try store.write(good)
      #expect(try store.all() == [good])
      for change in changes {
        var bad = good
        change(&bad)
        try store.write(bad)
        #expect(throws: Refusal.self) { try store.all() }
      }
    }
  }
}

extension CellResult {
  /// One task, two episodes.
  static var example: CellResult {
    CellResult(
      key: "k", benchmark: "b", method: "joint", variant: "", seed: 1, episodes: 2,
      tasks: [CellResult.Task(task: "t", gold: 2, chained: 1, rightAfter: 1)], allRight: "10", parameters: 5,
      steps: 6, tokens: 7, seconds: 1, evaluationSeconds: 1,
      course: [FittedMethod.Point(task: "t", tokens: 3, accuracy: 0.95, loss: 0.1)], precision: "float32",
      machine: "avx2")
  }
}
