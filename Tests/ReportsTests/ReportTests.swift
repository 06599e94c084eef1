import Evaluation
import Experiments
import Foundation
import InputErrors
import Methods
import ProjectFixtures
import Reports
import RunStore
import Runs
import SafeFiles
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

struct ReportTests {
  private struct Killed: Error {}

  /// Whether each element of a page is closed, as XML; what HTML leaves open is closed first.
  private func isWellFormed(_ html: String) -> Bool {
    let text = html.replacing("<!DOCTYPE html>", with: "").replacing(#/<meta ([^>]*)>/#) { "<meta \($0.1)/>" }
    return XMLParser(data: Data(text.utf8)).parse()
  }

  private func train(_ project: TinyProject, stopAfter: Int? = nil) throws {
    do {
      _ = try TrainingRun(
        project.workflow("training.validateEvery=2", "training.validationEpisodes=4"), out: project.out,
        models: project.folder.path
      ).run(resume: false) { event in
        if case .training(.step(let record), _) = event, record.totalStep == stopAfter { throw Killed() }
      }
    } catch is Killed {}
  }

  @Test("a finished run: graph, curves, accuracies and errors, with the numbers of its files")
  func finished() throws {
    try TinyProject.with(choosesOnly: true) { project in
      try train(project)
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path)
      let predictions = project.out + "/predictions.jsonl"
      let text =
        [
          #"{"answer":"red","cut":false,"episode":"e20","expected":"red","parents":"gold","probability":0.9,"promptCut":false,"read":{},"right":true,"task":"colour"}"#,
          #"{"answer":"blue","cut":false,"episode":"e21","expected":"<red>","parents":"gold","probability":0.5,"promptCut":false,"read":{},"right":false,"task":"colour"}"#,
        ].joined(separator: "\n") + "\n"
      try text.write(toFile: predictions, atomically: true, encoding: .utf8)
      let html = try Report(trainings: [.init(project.out)]).html
      #expect(isWellFormed(html))
      for expected in [
        "tiny: training report", "Finished after", "columns 0–1", "50.0 %", "1 of 2 episodes",
        "&lt;red&gt; → blue", "Mean cross-entropy", "Columns of each phase", trained.workflow.name,
      ] { #expect(html.contains(expected), "\(expected)") }
      #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("<script"))
      #expect(!html.contains("<red>"))
    }
  }

  @Test("a report says what its accuracies are of, if not of the run as it is on its test episodes")
  func sources() throws {
    try TinyProject.with(choosesOnly: true) { project in
      try train(project)
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path)
      func html(_ lines: [(split: String, data: String, adapter: String?)]) throws -> String {
        let predictions = lines.map { line in
          TaskPrediction(
            episode: "e20", task: "colour", parents: .gold, read: [:], answer: "red", expected: "red",
            right: true,
            probability: 1, cut: false, promptCut: false,
            source: .init(split: line.split, data: line.data, adapter: line.adapter))
        }
        try predictions.jsonLines().write(to: URL(fileURLWithPath: project.out + "/predictions.jsonl"))
        let html = try Report(trainings: [.init(project.out)]).html
        #expect(isWellFormed(html) && html.contains("1 of 1 episodes"))
        return html
      }
      let adapter = try #require(try trained.checksum())
      let data = trained.data().path
      let own = try html([("test", data, adapter)])
      #expect(!own.contains("class=\"state\""))
      for (line, note) in [
        (("valid", data, adapter), "On the valid split."),
        (("test", "/a<b", adapter), "On other data: /a&lt;b."),
        (("test", data, nil), "Of the base model"), (("test", data, "0"), "The columns have changed"),
      ] {
        let page = try html([line])
        #expect(page.contains("<p class=\"state\">\(note)"), "\(note)")
      }
      #expect(throws: Refusal.self) { try html([("test", data, adapter), ("valid", data, adapter)]) }
    }
  }

  @Test("a run that has died shows what there is and says so")
  func died() throws {
    try TinyProject.with(choosesOnly: true) { project in
      try train(project, stopAfter: 5)
      let html = try Report(trainings: [.init(project.out)]).html
      #expect(isWellFormed(html))
      #expect(html.contains("Not finished: stopped, at step"))
      #expect(html.contains("Not measured for this page"))
    }
  }

  @Test(
    "what a store knows of a run that is not finished is in the page's first lines",
    arguments: [
      (RunState.died(step: 5), "Not finished: its process died, at step 5 ("),
      (.running, "Not finished: its process died, at step 5 ("),
      (.failed("the <disk> is full"), ": the &lt;disk&gt; is full. Continue with"),
      (.silent(host: "far", step: 5), "Not finished: no sign of life from far, at step 5 ("),
      (.stopped, "Not finished: stopped, at step 5 ("),
    ])
  func state(state: RunState, text: String) throws {
    try TinyProject.with(choosesOnly: true) { project in
      try train(project, stopAfter: 5)
      let html = try Report(trainings: [.init(project.out, state: state)]).html
      #expect(isWellFormed(html))
      #expect(html.contains(text))
      let main = try #require(html.split(separator: "<main>\n").last)
      #expect(
        main.split(separator: "\n")[1].hasPrefix("<p class=\"state\">Not finished: "), "\(main.prefix(300))")
    }
  }

  @Test("a run that is training says so, whatever the store last heard")
  func training() throws {
    try TinyProject.with(choosesOnly: true) { project in
      try train(project, stopAfter: 5)
      let lock = try FileLock(URL(fileURLWithPath: project.out + "/run.json"))
      let html = try Report(trainings: [.init(project.out, state: .running)]).html
      #expect(html.contains("<p class=\"state\">A process is training, at step 5 ("))
      withExtendedLifetime(lock) {}
    }
  }

  @Test(
    "metrics with impossible numbers are refused, and large ones can be shown",
    arguments: [
      (#""tokens":[0-9]+"#, #""tokens":9223372036854775807"#, false),
      (#""totalStep":[0-9]+"#, #""totalStep":-1"#, false),
      (#""correct":[0-9]+"#, #""correct":99"#, false),
      (#""loss":[0-9.e-]+"#, #""loss":1e308"#, true),
    ])
  func hostileMetrics(pattern: String, replacement: String, isShown: Bool) throws {
    try TinyProject.with(choosesOnly: true) { project in
      try train(project, stopAfter: 5)
      let file = project.out + "/metrics.jsonl"
      let text = try String(contentsOfFile: file, encoding: .utf8)
      let changed = text.replacing(try Regex(pattern), with: replacement)
      #expect(changed != text)
      try changed.write(toFile: file, atomically: true, encoding: .utf8)
      let html = try? Report(trainings: [.init(project.out)]).html
      #expect((html != nil) == isShown)
      if let html { #expect(isWellFormed(html)) }
    }
  }

  @Test("experiments: table, bars and curves")
  func experiments() throws {
    let methods = [0, 0.5, 1].map { Method.contextLoRA(Method.Partition(frozenRatio: $0)) } + [.joint]
    let results = methods.flatMap { method in
      [1, 2, 3].map { seed in
        CellResult(
          key: "\(method.name) \(seed)", benchmark: "a <b>", method: method.name, variant: "", seed: seed,
          episodes: 4, tasks: [CellResult.Task(task: "t&", gold: 4, chained: 3, rightAfter: nil)],
          allRight: "1110", parameters: 5, steps: 6, tokens: 7, seconds: 1, evaluationSeconds: 1, course: [],
          precision: "float32", machine: "avx2")
      }
    }
    let html = try Report(experiments: [.init("results", results)]).html
    #expect(isWellFormed(html))
    for expected in ["a &lt;b&gt;", "t&amp;", "75.0 ± 0.0", "tie", "frozen ratio δ"] {
      #expect(html.contains(expected), "\(expected)")
    }
    #expect(throws: (any Error).self) { try Report() }
  }

  @Test(
    "an experiment that is not finished shows what there is and says so",
    arguments: [
      (RunState.running, "Running: 1 of 12 measurements so far."),
      (.died(step: nil), "its process died; 1 of 12"),
      (.stopped, "Not finished: stopped; 1 of 12 measurements."),
      (.failed("no <memory>"), "failed (no &lt;memory&gt;); 1 of 12"),
      (.silent(host: "far", step: nil), "no sign of life from far; 1 of 12"),
      (.finished, "Finished, but only 1 of 12 measurements are in the folder"),
    ])
  func unfinished(state: RunState, text: String) throws {
    for results in [[Self.result("a", ["t"])], []] {
      let html = try Report(experiments: [
        .init("table", results, state: state, progress: .init(done: 1, planned: 12))
      ]).html
      #expect(isWellFormed(html))
      let main = try #require(html.split(separator: "<main>\n").last)
      let line = main.split(separator: "\n")[1]
      #expect(line.hasPrefix("<p class=\"state\">table: ") && line.contains(text), "\(line)")
      #expect(html.contains("75.0") == !results.isEmpty)
    }
  }

  @Test("results of workflows of one name with other tasks have tables of their own")
  func otherTasks() throws {
    let results = [Self.result("a", ["t"]), Self.result("a", ["t", "u"]), Self.result("a", [])]
    let html = try Report(experiments: [.init("results", results)]).html
    let setting = "Methods on a (6 steps, 4 test episodes, setting "
    #expect(isWellFormed(html) && (1...3).allSatisfy { html.contains(setting + "\($0))<") })
  }

  private static func result(_ benchmark: String, _ tasks: [String]) -> CellResult {
    CellResult(
      key: "\(benchmark) \(tasks)", benchmark: benchmark, method: "joint", variant: "", seed: 1, episodes: 4,
      tasks: tasks.map { CellResult.Task(task: $0, gold: 4, chained: 3, rightAfter: nil) },
      allRight: "1110", parameters: 5, steps: 6, tokens: 7, seconds: 1, evaluationSeconds: 1, course: [],
      precision: "float32", machine: "avx2")
  }

  @Test("every experiment has a figure, as a file that stands alone")
  func figures() throws {
    func table(_ benchmark: String, _ rows: [(method: String, variant: String)]) -> MethodTable {
      MethodTable(
        rows.flatMap { row in
          [1, 2].map { seed in
            var result = Self.result(benchmark, ["a & b", "c"])
            (result.method, result.variant, result.seed) = (row.method, row.variant, seed)
            return result
          }
        })
    }
    let own = "context-ancestors-d"
    let plain = ["joint", own + "0", own + "0.5", own + "1", "context-ancestors-adaptive", own + "0.5-r2"]
    let variants = [
      ("joint", "a & b 10 % wrong"), (own + "1", "graph: none"),
    ]
    let single = table("<x>", plain.map { ($0, "") } + variants)
    var double = try #require(single.rows.first).results
    for index in double.indices { double[index].precision = "another" }
    let all = MethodTable(single.rows.flatMap(\.results) + double)
    let expected = [
      "table": "adaptive", "delta": "1 − δ", "noise": "wrong labels", "order": "none graph, δ = 1",
      "adaptive": "δ = 0.5", "rounds": "rounds", "bits": "joint, float32",
    ]
    #expect(Set(expected.keys) == Set(Experiment.all.map(\.name)).subtracting(["scale"]))
    for (experiment, part) in expected {
      let file = try #require(ExperimentFigure.of(experiment, all), "\(experiment)").file
      #expect(XMLParser(data: Data(file.utf8)).parse(), "\(experiment)")
      #expect(file.contains(part) && file.contains("&lt;x&gt;: "), "\(experiment)")
      #expect(file.contains("prefers-color-scheme:dark"))
      #expect(ExperimentFigure.of(experiment, table("x", [])) == nil)
    }
    // Two seeds without a difference: a mean of three of four, no spread.
    #expect(try #require(ExperimentFigure.of("adaptive", all)).file.contains(">75.0<"))
    // The second number format is only in its own figure.
    #expect(try #require(ExperimentFigure.of("bits", all)).file.contains("joint, another"))
    for experiment in expected.keys where experiment != "bits" {
      let file = try #require(ExperimentFigure.of(experiment, all)).file
      #expect(file.contains("(float32)") && !file.contains("another"), "\(experiment)")
    }
    let variant = Experiment.scaleVariant
    let worlds = [2, 4].map {
      table("chain-\($0)", [("joint", variant), (own + "1", variant), (own + "0", "")])
    }
    let scale = ExperimentFigure.scale(worlds + [table("other", [("joint", variant)])])
    #expect(scale.map(\.shape) == ["chain"] && scale[0].figure.file.contains(">joint<"))
    // Results of other experiments on such a world, and those of longer trainings, are not in its lines.
    #expect(!scale[0].figure.file.contains(own + "0"))
    let longer = worlds.map { world in
      MethodTable(
        world.rows.flatMap(\.results).map { result in
          var result = result
          result.key += "\n    steps: 30\n"
          return result
        })
    }
    let both = ExperimentFigure.scale(worlds + longer)
    #expect(both.map(\.shape) == ["chain", "chain"])
    #expect(both[1].figure.file.contains("30 steps a task") && both[0].figure.file != both[1].figure.file)
    #expect(ExperimentFigure.scale([worlds[0], longer[1]]).isEmpty)
  }
}
