import Foundation
import ProjectFixtures
import TestSupport
import Testing

@Suite("contexture data") struct DataTests {
  @Test func makesTheSameFilesForTheSameSeed() throws {
    try Fixtures.withTemporaryDirectory { folder in
      func make(_ name: String, _ seed: String) throws -> [Data?] {
        let outcome = try Program.run(
          ["data", "make", "iov", "--episodes", "40", "--seed", seed, "--out", name], in: folder)
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        #expect(outcome.output.contains("\(name)/train.jsonl  32 episodes"))
        return ["train", "valid", "test"].map {
          FileManager.default.contents(atPath: folder.appendingPathComponent("\(name)/\($0).jsonl").path)
        }
      }
      let first = try make("deep/in/first", "7")
      #expect(first.allSatisfy { $0?.isEmpty == false })
      #expect(try make("second", "7") == first)
      #expect(try make("third", "8") != first)
    }
  }

  @Test(arguments: ["industry", "city", "chain", "tree", "diamond"]) func makesEveryWorld(_ world: String)
    throws
  {
    try Fixtures.withTemporaryDirectory { folder in
      let isScaling = ["chain", "tree", "diamond"].contains(world)
      func make(_ name: String, _ more: [String] = []) throws -> [String: String] {
        let outcome = try Program.run(
          ["data", "make", world, "--episodes", "40", "--out", name] + more, in: folder)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
        #expect(outcome.output.contains("\nEpisode \(world)-000000\n"))
        #expect(
          outcome.output.contains(
            "Without the parents' answers, the best guess that training data can teach is expected"))
        let made = folder.appendingPathComponent(name)
        let files = try FileManager.default.contentsOfDirectory(atPath: made.path)
        return try Dictionary(
          uniqueKeysWithValues: files.map {
            ($0, try String(contentsOf: made.appendingPathComponent($0), encoding: .utf8))
          })
      }
      let first = try make("first")
      #expect(
        first.keys.sorted()
          == ["test.jsonl", "train.jsonl", "valid.jsonl"] + (isScaling ? ["workflow.yaml"] : []))
      #expect(try make("second") == first)
      #expect(try make("third", ["--difficulty", "2"])["train.jsonl"] != first["train.jsonl"])
      let workflow =
        isScaling ? folder.appendingPathComponent("first/workflow.yaml").path : "Examples/\(world).yaml"
      let data = folder.appendingPathComponent("first").path
      let check = try Program.run(["data", "check", data, "--workflow", workflow])
      #expect(check.status == 0 && check.output.contains("train 32, valid 4, test 4 episodes"), "\(check)")
      guard isScaling else { return }
      #expect(
        try make("fourth", ["--tasks", "24"])["workflow.yaml"]?.contains("name: \(world)-24\n") == true)
    }
  }

  @Test func showsEpisodes() throws {
    try Fixtures.withTemporaryDirectory { folder in
      #expect(
        try Program.run(
          ["data", "make", "chain", "--tasks", "3", "--episodes", "30", "--out", "d"], in: folder
        )
        .status == 0)
      func show(_ arguments: String...) throws -> String {
        let outcome = try Program.run(["data", "show"] + arguments, in: folder)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
        return outcome.output
      }
      // The folder's workflow is used.
      let shown = try show("d")
      #expect(try show("d/workflow.yaml") == shown)
      #expect(shown.components(separatedBy: "Episode chain-").count == 4)
      try Snapshot.check(try show("d", "--id", "chain-000028"), "data-show")
      #expect(try show("d", "--split", "test", "--count", "1").hasPrefix("Episode chain-000027\n"))
      let task = try show("d", "--task", "cedar", "--count", "1")
      #expect(
        task.contains("  cedar (after birch: track ") && task.contains("cedar log:") && !task.contains("ash"))
      // Without a workflow, the inputs are listed first.
      try FileManager.default.removeItem(at: folder.appendingPathComponent("d/workflow.yaml"))
      let bare = try show("d", "--count", "1").split(separator: "\n")
      #expect(bare[1].hasPrefix("  ash log: ") && bare[3].hasPrefix("  cedar log: "))
      #expect(bare[4] == "  ash")
    }
  }

  @Test func checksWhatItMade() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let out = folder.appendingPathComponent("iov").path
      #expect(try Program.run(["data", "make", "iov", "--episodes", "60", "--out", out]).status == 0)
      let table = try Program.run(["data", "check", out, "--workflow", "Examples/iov.yaml"])
      #expect(table.status == 0)
      #expect(table.output.contains("train 48, valid 6, test 6 episodes"))
      for task in ["perceive", "predict", "decide", "route"] {
        #expect(table.output.contains("\n\(task) "), "\(task)")
      }
      let json = try Program.run(
        ["data", "check", out, "--workflow", "Examples/iov.yaml", "--format", "json"])
      let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      #expect((object?["episodes"] as? [String: Int])?["train"] == 48)
      #expect((object?["baselines"] as? [String: [Any]])?["tasks"]?.count == 4)
    }
  }

  @Test func tellsEveryLinesFirstMistake() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let out = folder.appendingPathComponent("iov")
      #expect(try Program.run(["data", "make", "iov", "--episodes", "60", "--out", out.path]).status == 0)
      let train = out.appendingPathComponent("train.jsonl")
      var lines = try String(contentsOf: train, encoding: .utf8).split(separator: "\n").map(String.init)
      lines[1] = "{"
      lines[4] = lines[3]
      try lines.joined(separator: "\n").write(to: train, atomically: true, encoding: .utf8)
      try "".write(to: out.appendingPathComponent("valid.jsonl"), atomically: true, encoding: .utf8)
      let outcome = try Program.run(["data", "check", out.path, "--workflow", "Examples/iov.yaml"])
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      let told = outcome.errors.split(separator: "\n").map(String.init)
      #expect(told.count == 3, "\(told)")
      for (line, part) in zip(
        told, ["train.jsonl:2: not JSON", "train.jsonl:5: id: ", "valid.jsonl: has no episodes"])
      {
        #expect(line.contains(part))
      }
    }
  }

  @Test func saysWhatTestSharesWithTrain() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let out = folder.appendingPathComponent("iov")
      #expect(try Program.run(["data", "make", "iov", "--episodes", "30", "--out", out.path]).status == 0)
      try FileManager.default.removeItem(at: out.appendingPathComponent("test.jsonl"))
      try FileManager.default.copyItem(
        at: out.appendingPathComponent("train.jsonl"), to: out.appendingPathComponent("test.jsonl"))
      let outcome = try Program.run(["data", "check", out.path, "--workflow", "Examples/iov.yaml"])
      let note = "test episodes show the model the same inputs, questions and options as a training episode"
      #expect(outcome.output.contains("Note: 24 \(note)"))
      // With another question, the same inputs are something else.
      let test = out.appendingPathComponent("test.jsonl")
      var lines = try String(contentsOf: test, encoding: .utf8).split(separator: "\n").map(String.init)
      lines[0] = lines[0].replacingOccurrences(of: #""question":""#, with: #""question":"Now: "#)
      try lines.joined(separator: "\n").write(to: test, atomically: true, encoding: .utf8)
      let other = try Program.run(["data", "check", out.path, "--workflow", "Examples/iov.yaml"])
      #expect(other.output.contains("Note: 23 \(note)"))
    }
  }

  @Test func rendersThePromptsIfTheModelIsThere() throws {
    try TinyProject.with { project in
      func check() throws -> Program.Outcome {
        try Program.run(
          [
            "data", "check", project.folder.appendingPathComponent("data").path, "--workflow",
            project.workflowFile,
          ])
      }
      let valid = try check()
      #expect(valid.status == 0 && valid.output.contains("and fits the model's context"), "\(valid)")
      #expect(!valid.output.contains("Note: the prompts were not rendered"))
      // A limit below the gold answers is said.
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
      try text.replacing("{name: note,", with: "{name: note, maxTokens: 1,").write(
        toFile: project.workflowFile, atomically: true, encoding: .utf8)
      #expect(
        try check().output.contains(
          "data/test.jsonl: 10 of 10 gold answers of note have more than the 1 tokens"))
      // Test episodes that do not fit are named.
      let test = project.folder.appendingPathComponent("data/test.jsonl")
      let episodes = try String(contentsOf: test, encoding: .utf8)
      try episodes.replacing(", number", with: String(repeating: " x", count: 400) + ", number").write(
        to: test, atomically: true, encoding: .utf8)
      let long = try check()
      #expect(long.status == 2 && long.output.isEmpty)
      #expect(long.errors.contains("test.jsonl:10: episode 'e29', task 'colour': "), "\(long.errors)")
      #expect(long.errors.contains("10 of 10 episodes cannot be shown to the model"))
      // A model that is there but cannot be used is refused.
      let model = project.folder.appendingPathComponent("model")
      try episodes.write(to: test, atomically: true, encoding: .utf8)
      for (name, damaged) in [
        ("tokenizer.json", "{"),
        ("chat_template.jinja", "{% for m in messages %}<{{ m['role'] }}>{% endfor %}"),
      ] {
        let file = model.appendingPathComponent(name)
        let content = try Data(contentsOf: file)
        try damaged.write(to: file, atomically: true, encoding: .utf8)
        let refused = try check()
        #expect(refused.status == 2 && refused.output.isEmpty, "\(refused)")
        #expect(refused.errors.contains(model.path), "\(refused)")
        try content.write(to: file)
      }
      #expect(try check().status == 0)
      // Without the model, it is said that nothing was rendered.
      try FileManager.default.removeItem(at: project.folder.appendingPathComponent("model"))
      let unchecked = try check()
      #expect(unchecked.status == 0 && unchecked.output.contains("Note: the prompts were not rendered"))
      #expect(!unchecked.output.contains("fits the model's context,"))
    }
  }

  @Test func aFailedWriteLeavesNothing() throws {
    try Fixtures.withTemporaryDirectory { folder in
      // A file size limit simulates a full disk.
      let outcome = try Program.run(
        ["data", "make", "iov", "--episodes", "1000", "--out", "new/iov"], in: folder,
        shell: "trap '' XFSZ; ulimit -f 64")
      #expect(outcome.status == 2)
      #expect(
        outcome.errors.hasPrefix("contexture: new/iov/train.jsonl: cannot write ")
          && outcome.errors.hasSuffix(
            "; the file system or a resource limit does not allow a file that large\n"),
        "\(outcome.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }
  }
}
