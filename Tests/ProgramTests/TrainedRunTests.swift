import Checkpoint
import Evaluation
import Foundation
import ProjectFixtures
import TestSupport
import Testing

/// Commands on a trained run.
@Suite("contexture evaluate and export") struct TrainedRunTests {
  /// The tiny project with a trained run in the folder `run`.
  private func withRun(_ settings: String..., body: (TinyProject) throws -> Void) throws {
    try TinyProject.with { project in
      let arguments = ["train", "workflow.yaml", "--out", "run"] + settings.flatMap { ["--set", $0] }
      let training = try Program.run(arguments, in: project.folder)
      try #require(training.status == 0, "\(training)")
      try body(project)
    }
  }

  private func files(_ project: TinyProject, _ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      atPath: project.folder.appendingPathComponent(folder).path
    ).sorted()
  }

  private func exists(_ project: TinyProject, _ path: String) -> Bool {
    FileManager.default.fileExists(atPath: project.folder.appendingPathComponent(path).path)
  }

  @Test func aFullDiskLeavesNoFolderThatIsNeitherNewNorARun() throws {
    try TinyProject.with { project in
      let before = try files(project, "")
      // The workflow's text has more than a block of the limit on the size of files, which stands in for a full disk.
      let outcome = try Program.run(
        ["train", "workflow.yaml", "--out", "run"], in: project.folder, shell: "trap '' XFSZ; ulimit -f 1")
      #expect(outcome.status == 2, "\(outcome)")
      #expect(outcome.errors.contains("cannot write"), "\(outcome)")
      #expect(try files(project, "") == before)
    }
  }

  @Test func aTrainingGoesOnIfNobodyReadsItsProgress() throws {
    try TinyProject.with { project in
      let outcome = try Program.run(
        ["train", "workflow.yaml", "--out", "run"], in: project.folder,
        under: ["/bin/bash", "-c", #"set -o pipefail; "$@" | true"#, "bash"])
      #expect(outcome.status == 0, "\(outcome)")
      #expect(exists(project, "run/adapter.safetensors"))
    }
  }

  @Test func anEpisodeCanBeJustItsInputs() throws {
    try TinyProject.with { project in
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
        .replacing("name: colour,", with: "name: colour, question: Which?, options: [red, green, blue],")
        .replacing("name: mood,", with: "name: mood, question: How?, options: [calm, wild],")
        .replacing("name: note,", with: "name: note, question: What?,")
      try text.write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      let training = try Program.run(
        ["train", "workflow.yaml", "--out", "run", "--set", "training.maxSteps=1"], in: project.folder)
      #expect(training.status == 0, "\(training)")
      let asked = project.folder.appendingPathComponent("asked.jsonl")
      try #"{"inputs": {"scene": "a red thing"}}"#.write(to: asked, atomically: true, encoding: .utf8)
      let outcome = try Program.run(["run", "run", "--episode", "asked.jsonl"], in: project.folder)
      #expect(outcome.status == 0 && outcome.output.contains("tiny, episode line 1"), "\(outcome)")
      for task in ["colour: ", "mood: ", "note: "] { #expect(outcome.output.contains("\n" + task)) }
    }
  }

  @Test func reportAndShortcutsAreOneObject() throws {
    try withRun { project in
      func evaluate(_ options: String...) throws -> [String: Any] {
        let outcome = try Program.run(["evaluate", "run", "--format", "json"] + options, in: project.folder)
        #expect(outcome.status == 0, "\(outcome)")
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
        return try #require(object as? [String: Any])
      }
      func taskCount(_ part: Any?) -> Int? { ((part as? [String: Any])?["tasks"] as? [Any])?.count }
      let alone = try evaluate()
      #expect(taskCount(alone) == 3 && alone["workflow"] as? String == "tiny")
      let both = try evaluate("--shortcuts", "--limit", "4")
      #expect(both.keys.sorted() == ["report", "shortcuts"])
      #expect(taskCount(both["report"]) == 3 && taskCount(both["shortcuts"]) == 3)
      #expect((both["report"] as? [String: Any])?["episodes"] as? Int == 4)
    }
  }

  @Test func everyAnswerCanBeReadBesideTheRecordedOne() throws {
    try withRun { project in
      let outcome = try Program.run(
        ["evaluate", "run", "--limit", "4", "--format", "json", "--predictions", "answers.jsonl"],
        in: project.folder)
      #expect(outcome.status == 0, "\(outcome)")
      let report = try JSONDecoder().decode(EvaluationReport.self, from: Data(outcome.output.utf8))
      let text = try String(
        contentsOf: project.folder.appendingPathComponent("answers.jsonl"), encoding: .utf8)
      let lines = try text.split(separator: "\n").map {
        try JSONDecoder().decode(TaskPrediction.self, from: Data($0.utf8))
      }
      for task in report.tasks {
        for (kind, scores) in [(TaskPrediction.Parents.gold, task.gold), (.chained, task.chained)] {
          let own = lines.filter { $0.task == task.task && $0.parents == kind }
          if task.parents.isEmpty, kind == .chained {
            #expect(own.isEmpty)
          } else {
            #expect(own.count == 4 && own.count { $0.right } == scores.correct)
            #expect(own.allSatisfy { $0.read.keys.sorted() == task.parents.sorted() })
          }
        }
      }
      // A child's input has its parent's predicted answer.
      for line in lines where line.parents == .chained {
        for (parent, read) in line.read {
          let answers = lines.filter { $0.episode == line.episode && $0.task == parent }
          #expect(answers.last?.answer == read)
        }
      }
      let nowhere = try Program.run(
        ["evaluate", "run", "--predictions", "no/where.jsonl"], in: project.folder)
      #expect(nowhere.status == 2 && nowhere.errors.contains("no/where.jsonl: its folder does not exist"))
    }
  }

  @Test func whatWasNotLearntIsReported() throws {
    try withRun("training.learningRate=1e-30", "training.validateEvery=2", "training.weightDecay=0") {
      project in
      let shown = try Program.run(["evaluate", "run"], in: project.folder)
      #expect(shown.status == 0)
      #expect(shown.output.contains("note: 0 %, the majority answer scores "), "\(shown)")
      #expect(shown.output.contains(": not learnt; train it longer (tasks.note.steps"), "\(shown)")
      #expect(shown.output.contains("Warning from training: colour: its columns did not move"), "\(shown)")
      let json = try Program.run(["evaluate", "run", "--format", "json"], in: project.folder)
      #expect(json.output.contains(#""learnt" : false"#) && json.output.contains(#""majority" : "#))
      // The base model was not trained, so the report has nothing about what it learnt.
      let base = try Program.run(["evaluate", "run", "--base"], in: project.folder)
      #expect(base.status == 0 && !base.output.contains("not learnt"))
    }
  }

  /// From the workflow file to an adapter that other programs can load.
  @Test func lowerLayersMayGoWithoutAnAdapter() throws {
    try withRun("lora.firstLayer=1") { project in
      let report = try Program.run(["evaluate", "run", "--limit", "2"], in: project.folder)
      #expect(report.status == 0 && report.output.contains("Every task right, chained: "), "\(report)")
      let export = try Program.run(["export", "run", "--task", "mood"], in: project.folder)
      #expect(export.status == 0, "\(export)")
      let file = try SafetensorsFile(
        project.folder.appendingPathComponent("run/export/mood/adapter_model.safetensors"))
      let shown = try Program.run(["model", "inspect", "run/export/mood"], in: project.folder)
      #expect(shown.status == 0 && shown.output.contains("layers.1.mlp.up_proj.lora_A.weight"), "\(shown)")
      #expect(!file.names.isEmpty && file.names.allSatisfy { $0.contains(".layers.1.") }, "\(file.names)")
      let beyond = try Program.run(
        ["train", "workflow.yaml", "--out", "other", "--set", "lora.firstLayer=2"], in: project.folder)
      #expect(beyond.status == 2 && beyond.errors.contains("lora.firstLayer: 2 is outside the 2 layers of "))
      #expect(!exists(project, "other"))
    }
  }

  @Test func anExportGoesIntoTheRunFolderWhereNoOtherPlaceIsNamed() throws {
    try withRun { project in
      func export(_ format: String) throws -> Program.Outcome {
        try Program.run(["export", "run", "--task", "mood", "--format", format], in: project.folder)
      }
      let peft = try export("peft")
      #expect(peft.status == 0 && peft.output.hasSuffix(": written to run/export/mood\n"), "\(peft)")
      #expect(
        try files(project, "run/export/mood")
          == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
      let gguf = try export("gguf")
      #expect(gguf.status == 0 && gguf.output.hasSuffix(": written to run/export/mood.gguf\n"), "\(gguf)")
      #expect(try files(project, "run/export") == ["mood", "mood.gguf"])
      for (format, problem) in [
        ("peft", "run/export/mood: is not empty (it holds README.md); give --out a new"),
        ("gguf", "run/export/mood.gguf: already exists; give --out another name"),
      ] {
        let again = try export(format)
        #expect(again.status == 2 && again.errors.hasPrefix("contexture: \(problem)"), "\(again)")
      }
    }
  }

  @Test func anExportIsReadBackAndCompared() throws {
    try withRun { project in
      let done = try Program.run(["export", "run", "--task", "mood", "--verify"], in: project.folder)
      #expect(done.status == 0 && done.errors.isEmpty, "\(done)")
      let lines = done.output.split(separator: "\n")
      #expect(lines.count == 2 && lines[0].hasSuffix(": written to run/export/mood"), "\(done)")
      #expect(
        lines.last?.hasPrefix(
          "Verified with 4 test episodes, in float32: the largest logit difference is 0.0 (tolerance 0.0: "
        )
          == true, "\(done)")
      let gguf = try Program.run(
        ["export", "run", "--task", "note", "--verify", "--format", "gguf"], in: project.folder)
      #expect(gguf.status == 0 && gguf.errors.isEmpty, "\(gguf)")
      #expect(gguf.output.contains("the largest logit difference is 0.0 (tolerance 0.0: "), "\(gguf)")
      // Invalid data are detected before anything is written.
      let file = project.folder.appendingPathComponent("data/test.jsonl")
      try "{".write(to: file, atomically: true, encoding: .utf8)
      let failed = try Program.run(["export", "run", "--task", "note", "--verify"], in: project.folder)
      #expect(failed.status == 2 && failed.errors.contains("data/test.jsonl:1: "), "\(failed)")
      #expect(!exists(project, "run/export/note"))
    }
  }

  @Test func anExportThatFailsLeavesNothing() throws {
    try withRun { project in
      for (format, out, file) in [
        ("peft", "new/deep/mood", "new/deep/mood/adapter_model.safetensors"),
        ("gguf", "new/deep/mood.gguf", "new/deep/mood.gguf"),
      ] {
        let arguments = ["export", "run", "--task", "mood", "--format", format, "--out", out]
        // A file size limit simulates a full disk.
        let failed = try Program.run(arguments, in: project.folder, shell: "trap '' XFSZ; ulimit -f 8")
        #expect(failed.status == 2 && failed.output.isEmpty, "\(failed)")
        #expect(failed.errors.hasPrefix("contexture: \(file): cannot write "), "\(failed)")
        #expect(!exists(project, "new"))
        let done = try Program.run(arguments, in: project.folder)
        #expect(done.status == 0 && exists(project, out), "\(done)")
        try FileManager.default.removeItem(at: project.folder.appendingPathComponent("new"))
      }
    }
  }

  /// Deployment data have no answers, come through a pipe, and can be used in any folder.
  @Test func whatHasNoAnswerYetIsAnsweredFromAPipe() throws {
    try withRun { project in
      let asked =
        #"{"id":"new","inputs":{"scene":"a blue thing"},"tasks":{"colour":{"question":"Which?","options":"#
        + #"["red","blue"]},"mood":{"question":"How?","options":["calm","wild"]},"note":{"question":"What?"}}}"#
      let other = project.folder.appendingPathComponent("elsewhere")
      try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
      try asked.write(to: other.appendingPathComponent("in"), atomically: true, encoding: .utf8)
      func piped(_ options: String...) throws -> Program.Outcome {
        try Program.run(
          ["run", "../run", "--episode", "-"] + options, in: other,
          under: ["sh", "-c", #"cat in | "$0" "$@""#])
      }
      let outcome = try piped("--format", "json")
      #expect(outcome.status == 0, "\(outcome)")
      let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      let tasks = try #require(object?["tasks"] as? [[String: Any]])
      #expect(tasks.map { $0["task"] as? String } == ["colour", "mood", "note"])
      #expect(tasks.allSatisfy { $0["expected"] == nil && $0["isRight"] == nil })

      let text = try piped()
      #expect(text.status == 0 && !text.output.contains("gold:"), "\(text)")
      let evaluated = try Program.run(["evaluate", "../run", "--limit", "2"], in: other)
      #expect(evaluated.status == 0 && evaluated.output.contains("test split of /"), "\(evaluated)")
    }
  }

  @Test func everythingInARunFolderIsDocumented() throws {
    let page = try String(
      contentsOf: Fixtures.packageRoot.appendingPathComponent("docs/run-folder.md"), encoding: .utf8)
    func check(_ names: some Sequence<String>, of file: String) {
      for name in names { #expect(page.contains("| `\(name)` |"), "\(file): \(name)") }
    }
    try withRun("training.frozenRatio=adaptive") { project in
      let run = project.folder.appendingPathComponent("run")
      let names = try files(project, "run")
      #expect(names.contains("metrics.jsonl") && names.contains("decisions.jsonl"))
      check(names, of: "run")
      for file in ["run.json", "metrics.jsonl", "decisions.jsonl"] {
        let text = try String(contentsOf: run.appendingPathComponent(file), encoding: .utf8)
        let value = file.hasSuffix("l") ? text.prefix { $0 != "\n" } : text[...]
        let object = try JSONSerialization.jsonObject(with: Data(value.utf8))
        check(try #require(object as? [String: Any]).keys, of: file)
      }
      for file in ["adapter.safetensors", "checkpoint.safetensors"] {
        check(try SafetensorsFile(run.appendingPathComponent(file)).metadata.keys, of: file)
      }
    }
  }
}
