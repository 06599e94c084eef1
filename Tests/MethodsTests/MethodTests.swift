import ContextLoRA
import Datasets
import Foundation
import InputErrors
import LanguageModels
import Methods
import ProjectFixtures
import Runs
import TaskGraph
import Tensor
import Testing
import Workflows

struct MethodTests {
  private static let settings = [
    "training.epochs=2", "training.validateEvery=4", "training.validationEpisodes=4", "training.seed=3",
  ]

  /// Everything that a method needs, on the tiny project.
  private struct Bench {
    let model: LlamaModel
    let examples: WorkflowExamples
    let material: WorkflowMaterial

    init(_ project: TinyProject, _ overrides: [String] = []) throws {
      let workflow = try Workflow(
        contentsOf: project.workflowFile, overrides: MethodTests.settings + overrides)
      material = try WorkflowMaterial(workflow, models: project.folder.path)
      model = try material.model(on: material.device(workers: 2), use: .forwardAndBackward)
      let data = try DatasetFolder(path: workflow.dataFolder).tables(schema: workflow.episodeSchema)
      examples = WorkflowExamples(
        workflow: workflow, episodes: data.train, validation: data.valid, prompts: material.prompts)
      _ = try examples.check(file: workflow.dataFolder, resumes: false)
    }

    func train(
      _ method: Method, measured: ((String) -> Void)? = nil, shouldStop: @escaping () -> Bool = { false }
    ) throws -> FittedMethod? {
      try MethodTrainer(
        model, examples, modules: material.modules, options: examples.workflow.trainingOptions,
        measure: { task, _ in
          measured?(task)
          return 0.5
        }, shouldStop: shouldStop
      ).train(method)
    }

    var tasks: [String] { examples.workflow.tasks.map(\.name) }
  }

  @Test(
    "every method takes the planned steps and has something to answer each task with", arguments: Method.all)
  func trains(_ method: Method) throws {
    try TinyProject.with(choosesOnly: true) { project in
      let bench = try Bench(project)
      let fitted = try #require(try bench.train(method))
      guard method.trains else {
        #expect(fitted.views.isEmpty && fitted.steps == 0)
        return
      }
      // 14 episodes in batches of 4, twice, for each of three tasks.
      #expect(fitted.steps == 24)
      #expect(fitted.tokens > 0 && fitted.seconds > 0)
      #expect(Set(fitted.views.keys) == Set(bench.tasks))
      let values = bench.material.modules.reduce(0) { $0 + $1.inputs + $1.outputs }
      switch method {
      case .independent(.full): #expect(fitted.parameters == 3 * 6 * values)
      case .mole: #expect(fitted.parameters == 6 * values + 3 * 3 * 2)
      case .mtlLoRA: #expect(fitted.parameters <= 6 * values && fitted.parameters > 3 * values)
      default: #expect(fitted.parameters == 6 * values)
      }
      // alpha is 4; s = alpha / columns that train together.
      let scale: Float =
        switch method {
        case .joint, .sequential, .independent(.full): 4 / 6
        case .mtlLoRA: 4 / Float(fitted.views["colour"]?.adapter.rank ?? 0)
        default: 2
        }
      for (task, view) in fitted.views {
        #expect(view.adapter.scale == scale)
        #expect(view.adapter.isFinite)
        #expect(view.columns.allSatisfy { (0..<view.adapter.rank).contains($0) })
        let moved = view.adapter.pairs.contains { pair in pair.b.contains { $0 != 0 } }
        #expect(moved, "\(task)")
      }
      #expect(Set(fitted.course.map(\.task)) == Set(bench.tasks))
    }
  }

  @Test("the same seed gives the same values", arguments: [Method.joint, .mole, .mtlLoRA, .orthogonal])
  func deterministic(_ method: Method) throws {
    try TinyProject.with(choosesOnly: true) { project in
      let first = try #require(try Bench(project).train(method))
      let second = try #require(try Bench(project).train(method))
      for (task, view) in first.views { #expect(second.views[task]?.adapter == view.adapter) }
      #expect(first.course == second.course && first.tokens == second.tokens)
    }
  }

  @Test("tasks are measured right after their phases, in the order of their training")
  func rightAfter() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let bench = try Bench(project)
      for method in [
        Method.sequential(.topological), .independent(.share), .orthogonal,
        .contextLoRA(Method.Partition()), .contextLoRA(Method.Partition(rounds: 2)),
      ] {
        var order: [String] = []
        let fitted = try bench.train(method) { order.append($0) }
        #expect(order == bench.examples.workflow.graph.topologicalOrder, "\(method.name)")
        #expect(fitted?.rightAfter == ["colour": 0.5, "mood": 0.5, "note": 0.5])
      }
      #expect(try bench.train(.joint)?.rightAfter == [:])
    }
  }

  /// While a phase trains, frozen columns may be part of the weights; nobody else may see them there.
  @Test(
    "right after its training a task answers as it does at the end, if nothing has changed its columns",
    arguments: [Method.contextLoRA(Method.Partition()), .orthogonal, .independent(.share)])
  func measured(_ method: Method) throws {
    try TinyProject.with(choosesOnly: true) { project in
      let bench = try Bench(project)
      let questions = bench.examples.questions
      func loss(_ task: String, _ view: FittedMethod.View) throws -> Double {
        let scores = try Scorer(bench.model).tokenScores(
          questions.questions(task: task),
          adapter: bench.model.view(of: view.adapter, .inference(view.columns)))
        return questions.score(task: task, scores).loss
      }
      let fitted = try #require(
        try MethodTrainer(
          bench.model, bench.examples, modules: bench.material.modules,
          options: bench.examples.workflow.trainingOptions, measure: { try loss($0, $1) }
        ).train(method))
      for task in bench.tasks {
        let (before, view) = (try #require(fitted.rightAfter[task]), try #require(fitted.views[task]))
        // All of O-LoRA's columns answer every task, also those that trained later.
        if method == .orthogonal, task != bench.tasks.last { continue }
        #expect(abs(before - (try loss(task, view))) < 1e-6, "\(task)")
      }
    }
  }

  /// ContextLoRA with δ = 1 on a chain without edges is what independent adapters are.
  @Test("masked blocks are as independent adapters of the same rank")
  func independent() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let bench = try Bench(project)
      let own = try #require(try bench.train(.independent(.share)))
      let edgeless = try TaskDependencyGraph(bench.tasks.map { (name: $0, parents: []) })
      let masked = try #require(
        try MethodTrainer(
          bench.model, bench.examples, modules: bench.material.modules,
          options: bench.examples.workflow.trainingOptions, graph: edgeless, measure: { _, _ in 0 }
        ).train(.contextLoRA(Method.Partition())))
      #expect(masked.tokens == own.tokens)
      // Only the first block starts from the values that an adapter of its rank has.
      let (view, other) = (try #require(masked.views["colour"]), try #require(own.views["colour"]))
      #expect(view.columns == [0, 1] && other.columns == [0, 1])
      func losses(_ fitted: FittedMethod) -> [Double] {
        fitted.course.filter { $0.task == "colour" }.map(\.loss)
      }
      #expect(!losses(own).isEmpty && losses(masked) == losses(own))
    }
  }

  @Test("the method, not the workflow, says how blocks start")
  func start() throws {
    try TinyProject.with(choosesOnly: true) { project in
      func blocks(_ start: BlockStart) throws -> (first: ColumnValues, second: ColumnValues) {
        let fitted = try #require(
          try Bench(project).train(.contextLoRA(Method.Partition(start: start))))
        let adapter = try #require(fitted.views["note"]).adapter
        return (ColumnValues(of: [0, 1], in: adapter), ColumnValues(of: [2, 3], in: adapter))
      }
      let (fresh, base) = (try blocks(.fresh), try blocks(.base))
      #expect(fresh.first == base.first, "a task without prerequisites starts fresh")
      #expect(fresh.second != base.second)
    }
  }

  @Test("a training that is asked to stop gives nothing")
  func stops() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let bench = try Bench(project)
      for method in [Method.joint, .mole, .contextLoRA(Method.Partition())] {
        var count = 0
        let fitted = try bench.train(
          method,
          shouldStop: {
            count += 1
            return count > 3
          })
        #expect(fitted == nil && count == 4)
      }
    }
  }

  @Test("predicted parents' answers are refused")
  func predicted() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let bench = try Bench(project, ["training.parentAnswers=predicted"])
      let error = #expect(throws: Refusal.self) { try bench.train(.joint) }
      #expect(error?.description.contains("set training.parentAnswers to gold") == true)
    }
  }

  @Test("names are unique")
  func names() {
    #expect(Set(Method.all.map(\.name)).count == Method.all.count)
  }
}
