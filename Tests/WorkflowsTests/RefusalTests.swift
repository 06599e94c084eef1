import Foundation
import StrictYAML
import TestSupport
import Testing
import Workflows

/// Each refusal, with its exact message.
@Suite struct RefusalTests {
  /// Values of the full sample are replaced in place, so that the message has the line of the file.
  @Test(arguments: [
    ("name: iov", "nmae: iov", ":2: field 'nmae': not a known field; did you mean 'name'?"),
    (
      "name: iov", "frozenness: 1",
      ":2: field 'frozenness': not a known field; use one of: name, model, data, system, tasks, lora, training"
    ),
    ("name: iov", "", ":3: field 'name': is missing; give the workflow a name"),
    ("name: iov", "name:", ":2: field 'name': is empty; give the workflow a name"),
    ("name: iov", "name: ' '", ":2: field 'name': is empty; give the workflow a name"),
    ("name: iov", "name: \"a\\nb\"", ":2: field 'name': has several lines; give a name of one line"),
    (
      "name: iov", "name: [a]",
      ":2: field 'name': expected text, found a list; give the workflow a name"
    ),
    (
      "model: smollm2-135m", "",
      ":2: field 'model': is missing; give a fetched model's name, a GGUF file or a Hugging Face folder"
    ),
    (
      "data: data/iov", "",
      ":2: field 'data': is missing; give the folder with train.jsonl, valid.jsonl and test.jsonl"
    ),
    (
      "data: data/iov", "data: ~",
      ":4: field 'data': is empty; give the folder with train.jsonl, valid.jsonl and test.jsonl"
    ),
    (
      "name: perceive", "title: x",
      ":9: field 'tasks.0.title': not a known field; use one of: name, instruction, inputs, parents, question, options, maxTokens, rank, steps, maxSteps"
    ),
    ("name: perceive", "rank: 4", ":9: the key 'rank' is duplicated in a mapping; remove one of them"),
    (
      "- name: perceive\n    instruction", "- instruction",
      ":9: field 'tasks.0.name': is missing; give the task a name"
    ),
    (
      "name: perceive", "name: a/b",
      ":9: field 'tasks.a/b.name': 'a/b' is not a valid task name; use letters, digits, '_' and '-', "
        + "and spaces only between them"
    ),
    (
      "name: perceive", "name: ' a'",
      ":9: field 'tasks. a.name': ' a' is not a valid task name; use letters, digits, '_' and '-', "
        + "and spaces only between them"
    ),
    (
      "\"Say what is ahead: all of it.\"", "",
      ":10: field 'tasks.perceive.instruction': is empty; say what the model is asked to do"
    ),
    (
      "\"Say what is ahead: all of it.\"", "'  '",
      ":10: field 'tasks.perceive.instruction': is empty; say what the model is asked to do"
    ),
    (
      "    instruction: \"Say what is ahead: all of it.\"\n", "",
      ":9: field 'tasks.perceive.instruction': is missing; say what the model is asked to do"
    ),
    (
      "[scene, weather]", "[scene, scene]",
      ":11: field 'tasks.perceive.inputs.1': the input 'scene' is listed twice; list it once"
    ),
    (
      "[scene, weather]", "[scene, '']",
      ":11: field 'tasks.perceive.inputs.1': is empty; name an input of the episodes"
    ),
    (
      "[scene, weather]", "scene",
      ":11: field 'tasks.perceive.inputs': expected a list, found 'scene'; write a list, as in [scene, weather]"
    ),
    (
      "rank: 4", "rank: '4'",
      ":13: field 'tasks.perceive.rank': expected a whole number, found the quoted text '4'; "
        + "use a whole number in 1...65536"
    ),
    (
      "rank: 4", "rank: 0",
      ":13: field 'tasks.perceive.rank': 0 is outside 1...65536; use a whole number in that range"
    ),
    (
      "rank: 4", "rank: 12",
      ":21: field 'lora.rank': rank 12 minus the 12 given to single tasks leaves 0, which does not divide "
        + "evenly among the tasks without a rank (next move); use a total rank of 13, "
        + "or give every task its own rank"
    ),
    (
      "name: next move", "name: perceive",
      ":14: field 'tasks.perceive.name': there are two tasks named 'perceive'; rename one of them"
    ),
    (
      "      - perceive", "      - percieve",
      ":19: field 'tasks.next move.parents': task 'next move' has the parent 'percieve', which is not a task; "
        + "did you mean 'perceive'?"
    ),
    (
      "      - perceive", "      - perceive\n      - perceive",
      ":20: field 'tasks.next move.parents': task 'next move' lists the parent 'perceive' twice; list it once"
    ),
    (
      "      - perceive", "      - next move",
      ":19: field 'tasks.next move.parents': task 'next move' is its own parent; remove it from its own parents"
    ),
    (
      "parents: []", "parents: [next move]",
      ":12: field 'tasks.perceive.parents': the tasks form a cycle: perceive -> next move -> perceive; "
        + "remove one of these edges"
    ),
    (
      "alpha: 24.5", "alpha: 0",
      ":22: field 'lora.alpha': 0 is not above 0; use a finite number above 0, such as 32"
    ),
    (
      "alpha: 24.5", "alpha: .inf",
      ":22: field 'lora.alpha': .inf is not a finite number; use a finite number above 0, such as 32"
    ),
    (
      "alpha: 24.5", "alpha: 0x10",
      ":22: field 'lora.alpha': expected a number, found '0x10'; use a finite number above 0, such as 32"
    ),
    (
      "rankStabilized: true", "rankStabilized: yes",
      ":23: field 'lora.rankStabilized': expected true or false, found 'yes'; write true or false"
    ),
    (
      "[v_proj, q_proj]", "[v_proj, q_porj]",
      ":24: field 'lora.targets.1': 'q_porj' is not known; did you mean 'q_proj'?"
    ),
    (
      "[v_proj, q_proj]", "[embeddings]",
      ":24: field 'lora.targets.0': 'embeddings' is not known; use one of: q_proj, k_proj, v_proj, o_proj, "
        + "gate_proj, up_proj, down_proj"
    ),
    (
      "[v_proj, q_proj]", "[v_proj, v_proj]",
      ":24: field 'lora.targets.1': 'v_proj' is listed twice; list it once"
    ),
    (
      "[v_proj, q_proj]", "[]",
      ":24: field 'lora.targets': is empty, so nothing would train; list some of: q_proj, k_proj, v_proj, o_proj, "
        + "gate_proj, up_proj, down_proj, or remove the line"
    ),
    (
      "[v_proj, q_proj]", "all",
      ":24: field 'lora.targets': expected a list, found 'all'; write a list, as in [q_proj, v_proj]"
    ),
  ])
  func workflowAndAdapter(part: String, other: String, message: String) throws {
    let place = try #require(Samples.full.range(of: part))
    #expect(Samples.refusal(Samples.full.replacingCharacters(in: place, with: other)) == "iov.yaml" + message)
  }

  static let share = "give a share between 0 (refine all prerequisite columns) and 1 (freeze all)"
  static let mixed = "use gold, predicted, or mixed(p) with a share p in 0...1, such as mixed(0.5)"
  static let range = "use a whole number in that range"

  /// Fields of `training`, which is on line 11 of the short sample.
  @Test(arguments: [
    ("rounds: 0", "rounds", "0 is outside 1...1000000; \(range)"),
    ("epochs: 0", "epochs", "0 is outside 1...1000000000; \(range)"),
    ("epochs: 1.5", "epochs", "expected a whole number, found '1.5'; use a whole number in 1...1000000000"),
    ("epochs:", "epochs", "expected a whole number, found nothing; use a whole number in 1...1000000000"),
    ("epochs: 99999999999999999999", "epochs", "99999999999999999999 is outside 1...1000000000; \(range)"),
    ("maxSteps: 0", "maxSteps", "0 is outside 1...1000000000; \(range)"),
    ("batchSize: -1", "batchSize", "-1 is outside 1...65536; \(range)"),
    ("batchSize: 65537", "batchSize", "65537 is outside 1...65536; \(range)"),
    ("staleness: 1000000000", "staleness", "1000000000 is outside 0...1000; \(range)"),
    ("microBatchTokens: 0", "microBatchTokens", "0 is outside 1...1000000000; \(range)"),
    ("prerequisites: ancestor", "prerequisites", "'ancestor' is not known; did you mean 'ancestors'?"),
    ("prerequisites: all", "prerequisites", "'all' is not known; use one of: ancestors, direct"),
    ("frozenRatio: 1.5", "frozenRatio", "1.5 is outside 0...1; \(share), or the word adaptive"),
    ("frozenRatio: -0.1", "frozenRatio", "-0.1 is outside 0...1; \(share), or the word adaptive"),
    ("frozenRatio: .nan", "frozenRatio", ".nan is not a finite number; \(share), or the word adaptive"),
    ("frozenRatio: half", "frozenRatio", "expected a number, found 'half'; \(share), or the word adaptive"),
    ("adaptive: {initial: 2}", "adaptive.initial", "2 is outside 0...1; \(share)"),
    (
      "adaptive: {tolerance: -1}", "adaptive.tolerance",
      "-1 is below 0; use 0 or a small positive share, such as 0.05"
    ),
    (
      "adaptive: {intial: 0}", "adaptive.intial",
      "not a known field; did you mean 'training.adaptive.initial'?"
    ),
    (
      "adaptive: 0.5", "adaptive",
      "expected a mapping of fields, found '0.5'; use these fields: initial, tolerance"
    ),
    ("freeze: first", "freeze", "'first' is not known; use one of: leading, importance"),
    ("blockStart: zero", "blockStart", "'zero' is not known; use one of: fresh, base"),
    ("freeze: [leading]", "freeze", "expected a word, found a list; use one of: leading, importance"),
    ("parentAnswers: golden", "parentAnswers", "'golden' is not known; did you mean 'gold'?"),
    ("parentAnswers: mixed", "parentAnswers", "'mixed' is not known; \(mixed)"),
    ("parentAnswers: mixed(x)", "parentAnswers", "'mixed(x)' is not known; \(mixed)"),
    ("parentAnswers: mixed(1.5)", "parentAnswers", "the share in 'mixed(1.5)' is outside 0...1; \(mixed)"),
    ("parentAnswers: mixed(.nan)", "parentAnswers", "the share in 'mixed(.nan)' is outside 0...1; \(mixed)"),
    ("parentAnswers: 1", "parentAnswers", "'1' is not known; \(mixed)"),
    ("parentAnswers: {}", "parentAnswers", "expected a word, found a mapping; \(mixed)"),
    ("staleness: -1", "staleness", "-1 is outside 0...1000; \(range)"),
    ("answerForm: lettertext", "answerForm", "'lettertext' is not known; did you mean 'letterText'?"),
    (
      "learningRate: 0", "learningRate", "0 is not above 0; use a finite number above 0, such as 0.001"
    ),
    ("schedule: cosin", "schedule", "'cosin' is not known; did you mean 'cosine'?"),
    ("warmup: 5", "warmup", "5 is outside 0...1; give a share of a phase's steps, such as 0.05"),
    (
      "minimumRateRatio: -1", "minimumRateRatio",
      "-1 is outside 0...1; give a share of the learning rate, such as 0.1"
    ),
    ("weightDecay: -1e-3", "weightDecay", "-1e-3 is below 0; use a finite number, 0 or above"),
    ("betas: [0.9]", "betas", "expected two numbers, found 1; give both, as in [0.9, 0.999]"),
    ("betas: 0.9", "betas", "expected a list, found '0.9'; write a list, as in [0.9, 0.999]"),
    ("betas: [0.9, 1]", "betas.1", "1 is outside 0..<1; use a number from 0 to below 1"),
    ("epsilon: 1e400", "epsilon", "1e400 is not a finite number; use a finite number above 0, such as 1e-08"),
    (
      "clipNorm: -1", "clipNorm", "-1 is below 0; use a finite number above 0, or 0 to disable clipping"
    ),
    ("validateEvery: -1", "validateEvery", "-1 is outside 0...1000000000; \(range)"),
    ("validationEpisodes: 0", "validationEpisodes", "0 is outside 1...1000000000; \(range)"),
    (
      "patience: many", "patience",
      "expected a whole number, found 'many'; use a whole number in 0...1000000000"
    ),
    (
      "budget: 300", "budget",
      "expected a mapping of fields, found '300'; use these fields: steps, tokens, minutes"
    ),
    ("budget: {hours: 1}", "budget.hours", "not a known field; use one of: steps, tokens, minutes"),
    (
      "budget: {minutes: 0}", "budget.minutes", "0 is not above 0; use a finite number above 0, such as 30"
    ),
    ("cooldown: 1", "cooldown", "1 is outside 0...0.9; give a share of a phase's steps, such as 0.2"),
    ("steps: 0", "steps", "0 is outside 1...1000000000; \(range)"),
    ("checkpointEvery: 0", "checkpointEvery", "0 is outside 1...1000000000; \(range)"),
    ("seed: -1", "seed", "-1 is outside 0...9223372036854775807; \(range)"),
    ("precision: float16", "precision", "'float16' is not known; did you mean 'bfloat16'?"),
    ("precision: half", "precision", "'half' is not known; use one of: auto, float32, bfloat16"),
    ("learningrate: 1", "learningrate", "not a known field; did you mean 'training.learningRate'?"),
  ])
  func training(line: String, field: String, problem: String) {
    let yaml = Samples.short + "\ntraining:\n  \(line)\n"
    #expect(Samples.refusal(yaml) == "iov.yaml:11: field 'training.\(field)': \(problem)")
  }

  @Test func sections() {
    #expect(
      Samples.refusal(Samples.short + "\nlora: 16\n")
        == "iov.yaml:10: field 'lora': expected a mapping of fields, found '16'; "
        + "use these fields: rank, alpha, rankStabilized, targets, firstLayer")
    #expect(
      Samples.refusal(Samples.short + "\nlora: {rank: 3}\n")
        == "iov.yaml:10: field 'lora.rank': rank 3 does not divide evenly among 2 tasks; use 2 or 4, "
        + "or give each task its own rank")
    #expect(
      Samples.refusal(Samples.short, ["tasks.0.maxTokens=0"])
        == "override 'tasks.0.maxTokens=0': field 'tasks.perceive.maxTokens': 0 is outside 1...1000000; "
        + "use a whole number in that range")
    #expect(
      Samples.refusal(Samples.short, ["tasks.0.options=[a, b]", "tasks.0.maxTokens=8"])
        == "override 'tasks.0.maxTokens=8': field 'tasks.perceive.maxTokens': the task has options, so its answers "
        + "are not generated; remove it, or remove the options")
    for (options, problem) in [
      (
        "[a b, 'a  b']",
        "1': the options 'a b' and 'a  b' differ in white space alone; make the options different"
      ),
      ("['\u{200B}', b]", "0': is empty; write an option"),
    ] {
      #expect(
        Samples.refusal(Samples.short, ["tasks.0.options=\(options)"]).hasSuffix(
          "field 'tasks.perceive.options.\(problem)"))
    }
    let head = "name: a\nmodel: b\ndata: c\n"
    #expect(
      Samples.refusal(head)
        == "iov.yaml:1: field 'tasks': is missing; list at least one task with name and instruction")
    #expect(
      Samples.refusal(head + "tasks: []")
        == "iov.yaml:4: field 'tasks': there are no tasks; list at least one task")
    #expect(
      Samples.refusal(head + "tasks: {a: b}")
        == "iov.yaml:4: field 'tasks': expected a list, found a mapping; write a list, as in - name: ...")
    #expect(
      Samples.refusal(head + "tasks: [a]")
        == "iov.yaml:4: field 'tasks.0': expected a mapping of fields, found 'a'; "
        + "use these fields: name, instruction, inputs, parents, question, options, maxTokens, rank, steps, maxSteps"
    )
    #expect(
      Samples.refusal(Samples.short + "\nlora:\n  rank: 8\n", ["tasks.0.rank=3", "tasks.1.rank=4"])
        == "iov.yaml:11: field 'lora.rank': the ranks of the tasks add up to 7, but the total rank is 8; "
        + "use a total rank of 7, leave the total out, or change the tasks' ranks")
  }

  @Test func notAWorkflowAtAll() {
    let empty = "iov.yaml: there is no workflow in it; give at least name, model, data and tasks"
    for yaml in ["", "\n", "# only a comment\n", "---\n", "~"] { #expect(Samples.refusal(yaml) == empty) }
    let fields = "use these fields: name, model, data, system, tasks, lora, training"
    #expect(Samples.refusal("hello") == "iov.yaml:1: expected a mapping of fields, found 'hello'; \(fields)")
    #expect(Samples.refusal("- a\n") == "iov.yaml:1: expected a mapping of fields, found a list; \(fields)")
  }

  @Test func invalidYAML() {
    let syntax = "check indentation (spaces, no tabs), colons and quotes near there"
    #expect(
      Samples.refusal("name: a\nmodel:\n\t- b\n")
        == "iov.yaml:3: not valid YAML: found character that cannot start any token; \(syntax)")
    #expect(
      Samples.refusal("name: a\nmodel: b: c\n")
        == "iov.yaml:2: not valid YAML: mapping values are not allowed in this context; \(syntax)")
    #expect(
      Samples.refusal("name: a\nmodel: [b\n")
        == "iov.yaml:3: not valid YAML: did not find expected ',' or ']'; \(syntax)")
    #expect(
      Samples.refusal("name: a\nmodel: b\nname: c\n")
        == "iov.yaml:1: the key 'name' is duplicated in a mapping; remove one of them")
    #expect(
      Samples.refusal("1: a\n'1': b\n")
        == "iov.yaml:2: the key '1' is duplicated in a mapping; remove one of them")
    #expect(
      Samples.refusal("name: a\nmodel: *b\n")
        == "iov.yaml:2: not valid YAML: found undefined alias; define the anchor before the alias")
    #expect(
      Samples.refusal("name: a\nmodel: *b c*\n")
        == "iov.yaml:2: not valid YAML: '*' begins an alias, and 'b c*' is not a name; "
        + "put text that begins with '*' in quotes")
    #expect(
      Samples.refusal("name: a\nmodel: [*b\n")
        .hasPrefix("iov.yaml:3: not valid YAML: "))
    #expect(
      Samples.refusal("name: a\n---\nname: b\n")
        == "iov.yaml:2: a second YAML document; keep one in a file")
    #expect(
      Samples.refusal("name: a\nmodel: b\u{1}\n")
        == "iov.yaml:2: not valid YAML: control characters are not allowed; "
        + "remove that character or write it as an escape in quotes")
    #expect(
      Samples.refusal("? [a]\n: b\n")
        == "iov.yaml:1: a key that is not a single value; use the fields' names as keys")
  }

  @Test func filesThatCannotBeRead() throws {
    func refusal(_ path: String) -> String {
      do throws(FieldError) {
        _ = try Workflow(contentsOf: path)
        return "accepted"
      } catch {
        return error.description
      }
    }
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("iov.yaml").path
      #expect(refusal(path) == "\(path): there is no such file; check the path")
      #expect(refusal(folder.path) == "\(folder.path): is a folder; name the YAML file in it")
      try Data([0x6E, 0xFF, 0xFE]).write(to: URL(fileURLWithPath: path))
      #expect(refusal(path) == "\(path): is not UTF-8 text; name a workflow's YAML file, saved as UTF-8")
      try Data(count: 17 << 20).write(to: URL(fileURLWithPath: path))
      #expect(refusal(path) == "\(path): is larger than 16 MiB; name a workflow's YAML file")
      try Data("name: a\nrank: 3\n".utf8).write(to: URL(fileURLWithPath: path))
      #expect(refusal(path).hasPrefix("\(path):2: field 'rank': not a known field; "))
      let below = path + "/w.yaml"
      #expect(refusal(below).hasPrefix("\(below): cannot open: Not a directory (errno 20); "))
    }
  }

  /// A small file that expands to billions of values, and one nested too deeply, are refused at once.
  @Test func filesMadeToOverwhelm() {
    var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in 1...12 {
      let aliases = [String](repeating: "*a\(i - 1)", count: 10).joined(separator: ", ")
      bomb += "a\(i): &a\(i) [\(aliases)]\n"
    }
    #expect(
      Samples.refusal(bomb).hasSuffix("the aliases expand to too many values; write the values out"))
    // The same in keys, of every form that YAML has.
    for key in [
      "? *a12\n: b\n", "*a12 : b\n", "{*a12 : b}\n", "{[*a12]: b}\n", "{x, [*a12]}\n", "? {*a12 : [*a12]}\n",
    ] {
      let line = bomb.count { $0 == "\n" } + 1
      let text = Samples.refusal(bomb + (key.hasPrefix("{") ? "z: " : "") + key)
      #expect(text.contains("the aliases expand to too many values"), "\(key): \(text)")
      let small = Samples.refusal(bomb.replacing(/(?s)a2:.*/, with: "") + key.replacing("a12", with: "a1"))
      #expect(small.hasPrefix("iov.yaml:3: ") || small.hasPrefix("iov.yaml:4: "), "\(line) \(small)")
    }
    var chain = "a0: &a0 x\n"
    for i in 1...100_000 { chain += "a\(i): &a\(i) [*a\(i - 1)]\n" }
    #expect(Samples.refusal(chain).contains("values deeper than 1000 levels"))
    let deep = Samples.refusal(String(repeating: "[", count: 100_000))
    #expect(deep.hasPrefix("iov.yaml:1: not valid YAML: "), "\(deep)")
  }

  /// Whatever bytes of a valid file are damaged, the result is a workflow or a refusal, never a trap.
  @Test func damagedFiles() {
    let bytes = Array(Samples.full.utf8)
    var accepted = 0
    for place in bytes.indices {
      for other in [
        UInt8(ascii: ":"), UInt8(ascii: "\n"), UInt8(ascii: "{"), UInt8(ascii: "9"), UInt8(ascii: " "),
      ] {
        var damaged = bytes
        damaged[place] = other
        if Samples.refusal(String(decoding: damaged, as: UTF8.self)) == "accepted" { accepted += 1 }
      }
      _ = Samples.refusal(String(decoding: bytes[..<place], as: UTF8.self))
    }
    #expect(accepted > 0 && accepted < 5 * bytes.count)
  }
}
