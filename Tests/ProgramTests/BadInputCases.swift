/// The table of invalid inputs.
enum BadInputCases {
  typealias Case = BadInputTests.Case

  static let all = workflows + data + models + runs + stores + clusters + usage

  /// A workflow of two tasks with one line replaced.
  private static func workflow(_ old: String = "", _ new: String = "") -> String {
    let text = """
      name: w
      model: smollm2-135m
      data: data
      tasks:
        - name: see
          instruction: See.
          inputs: [scene]
          parents: []
        - name: act
          instruction: Act.
          parents: [see]
      lora: {rank: 16}
      training: {frozenRatio: 0.5}

      """
    guard let range = text.firstRange(of: old) else { return text }
    return text.replacingCharacters(in: range, with: new)
  }

  private static func graph(_ name: String, _ old: String, _ new: String, _ expected: String...) -> Case {
    Case(
      name: name, arguments: ["graph", "w.yaml"], files: ["w.yaml": workflow(old, new)],
      expected: ["contexture: w.yaml:"] + expected)
  }

  private static let workflows: [Case] = [
    graph(
      "cyclic graph", "parents: []", "parents: [act]",
      ":8: field 'tasks.see.parents': the tasks form a cycle: see -> act -> see; remove one of these edges"),
    graph(
      "unknown parent", "[see]", "[sea]",
      ":11: field 'tasks.act.parents'", "'sea', which is not a task; did you mean 'see'?"),
    graph(
      "duplicate task", "name: act", "name: see",
      ":9: field 'tasks.see.name': there are two tasks named 'see'; rename one of them"),
    graph(
      "rank that does not divide", "rank: 16", "rank: 15",
      ":12: field 'lora.rank': rank 15 does not divide evenly among 2 tasks; use"),
    graph(
      "frozen ratio outside 0...1", "frozenRatio: 0.5", "frozenRatio: 1.5",
      ":13: field 'training.frozenRatio': 1.5 is outside 0...1; give a share"),
    graph(
      "unknown key", "frozenRatio: 0.5", "frozenRatoi: 0.5",
      ":13: field 'training.frozenRatoi': not a known field; did you mean 'training.frozenRatio'?"),
    graph("no YAML", "name: w", "name: [w", "not valid YAML", "; check indentation"),
    Case(
      name: "an empty workflow", arguments: ["graph", "w.yaml"], files: ["w.yaml": ""],
      expected: ["w.yaml: there is no workflow in it; give at least name, model, data and tasks"]),
    Case(
      name: "no such workflow", arguments: ["graph", "none.yaml"],
      expected: ["contexture: none.yaml: there is no such file; check the path"]),
    Case(
      name: "an override of an unknown field",
      arguments: ["graph", "w.yaml", "--set", "training.learningrate=1"], files: ["w.yaml": workflow()],
      expected: [
        "override 'training.learningrate=1': field 'training.learningrate': not a known field; "
          + "did you mean 'training.learningRate'?"
      ]),
    Case(
      name: "an override without a value", arguments: ["graph", "w.yaml", "--set", "training.seed"],
      files: ["w.yaml": workflow()], expected: ["override 'training.seed': there is no '='; write"]),
  ]

  private static func line(_ id: String, scene: String = #""scene": "s""#, answer: String = "0") -> String {
    #"{"id": "\#(id)", "inputs": {\#(scene)}, "tasks": {"#
      + #""see": {"question": "q", "options": ["a", "b"], "answer": \#(answer)}, "#
      + #""act": {"question": "q", "answer": "go"}}}"# + "\n"
  }

  private static func check(_ name: String, train: String, _ expected: String...) -> Case {
    Case(
      name: name, arguments: ["data", "check", "data", "--workflow", "w.yaml"],
      files: [
        "w.yaml": workflow(), "data/train.jsonl": train, "data/valid.jsonl": line("v"),
        "data/test.jsonl": line("t"),
      ],
      expected: ["contexture: data/train.jsonl"] + expected)
  }

  private static let data: [Case] = [
    check(
      "a line that is not JSON", train: line("a") + "{\"id\": \n", ":2: not JSON at byte 8",
      "; write one complete JSON object on the line"),
    check(
      "a line that lacks a task",
      train: line("a") + line("b").replacing("\"act\"", with: "\"other\""),
      ":2: tasks: lacks the task \"act\"; add its item, or remove the task from the workflow"),
    check(
      "an answer outside its options", train: line("a", answer: "2"),
      ":1: tasks.see.answer: 2 is outside the 2 options; use an index from 0 to 1"),
    check("an input that is missing", train: line("a", scene: ""), ":1: inputs: lacks the input \"scene\""),
    check("the same id twice", train: line("a") + line("a"), ":2: id: \"a\" is already the id of line 1"),
    check("no episodes", train: "", ": has no episodes; write one JSON object per line"),
    Case(
      name: "no such data", arguments: ["data", "check", "none", "--workflow", "w.yaml"],
      files: ["w.yaml": workflow()],
      expected: ["contexture: none: no such file; check the path, or make the data first"]),
    Case(
      name: "an output folder that is not empty", arguments: ["data", "make", "iov", "--out", "full"],
      files: ["full/a": "x"],
      expected: ["contexture: full: is not empty (it holds a); give --out a new or empty folder"]),
    Case(
      name: "an output folder that is a file", arguments: ["data", "make", "iov", "--out", "a"],
      files: ["a": "x"], expected: ["contexture: a: is a file, not a folder; give --out another folder"]),
    Case(
      name: "too few episodes", arguments: ["data", "make", "iov", "--episodes", "3", "--out", "new"],
      expected: ["contexture: episodes: 3 is not possible; use a number from 10 to 10000"]),
    Case(
      name: "noise outside 0...1", arguments: ["data", "make", "iov", "--noise", "route=2", "--out", "new"],
      expected: ["contexture: noise: 2.0 for \"route\" is not a share; use a number from 0 to 1"]),
    Case(
      name: "noise in an unknown task",
      arguments: ["data", "make", "iov", "--noise", "rout=0.1", "--out", "new"],
      expected: ["contexture: noise: the iov data has no task \"rout\"; use perceive"]),
    Case(
      name: "noise without a share", arguments: ["data", "make", "iov", "--noise", "route", "--out", "new"],
      expected: ["contexture: --noise route: is not a task and a share; write it as in --noise perceive=0.1"]),
    Case(
      name: "noise in an unknown task of another world",
      arguments: ["data", "make", "city", "--noise", "route=0.1", "--out", "new"],
      expected: [
        "contexture: noise: the city data has no task \"route\"; use event, severity, origin or dispatch"
      ]),
    Case(
      name: "noise without a share in another world",
      arguments: ["data", "make", "city", "--noise", "event", "--out", "new"],
      expected: ["contexture: --noise event: is not a task and a share; write it as in --noise event=0.1"]),
    Case(
      name: "a difficulty outside 1...3",
      arguments: ["data", "make", "industry", "--difficulty", "4", "--out", "new"],
      expected: ["contexture: difficulty: 4 is not possible; use a number from 1 to 3"]),
    Case(
      name: "too many tasks", arguments: ["data", "make", "tree", "--tasks", "25", "--out", "new"],
      expected: ["contexture: tasks: 25 is not possible; use a number from 2 to 24"]),
    Case(
      name: "too few tasks for a diamond",
      arguments: ["data", "make", "diamond", "--tasks", "3", "--out", "new"],
      expected: ["contexture: tasks: 3 is not possible; use a number from 4 to 24"]),
    Case(
      name: "an episode to show that is missing", arguments: ["data", "show", "d", "--id", "z"],
      files: ["d/train.jsonl": line("a"), "d/valid.jsonl": line("b"), "d/test.jsonl": line("c")],
      expected: ["contexture: --id z: there is no such episode in d/train.jsonl, d/valid.jsonl, d/test.jsonl"]
    ),
    Case(
      name: "a task to show that is missing", arguments: ["data", "show", "d", "--task", "sea"],
      files: ["d/train.jsonl": line("a")],
      expected: ["contexture: --task sea: there is no such task in d; use one of: act, see"]),
    Case(
      name: "no episodes to show", arguments: ["data", "show", "d", "--count", "0"],
      expected: ["contexture: --count: 0 is not a number of episodes; use a number from 1"]),
    Case(
      name: "no such data to show", arguments: ["data", "show", "none"],
      expected: ["contexture: none: there is no such file; check the path"]),
    Case(
      name: "no states", arguments: ["data", "make", "iov", "--states", "none.jsonl", "--out", "new"],
      expected: [
        "contexture: none.jsonl: no such file; make one with --simulate FILE, or leave --states out"
      ]),
    Case(
      name: "damaged states", arguments: ["data", "make", "iov", "--states", "s.jsonl", "--out", "new"],
      files: ["s.jsonl": "\n{\"world\": \"x\"}\n"],
      expected: [
        "contexture: s.jsonl:2: field 'world': expected a whole number from 0 to 999999, found 'x'; use"
      ]),
    Case(
      name: "an unknown difficulty",
      arguments: ["data", "make", "iov", "--difficulty", "4", "--out", "new"],
      expected: ["contexture: --difficulty 4: there is no such difficulty; use 1, 2 or 3"]),
    Case(
      name: "too few simulations",
      arguments: ["data", "make", "iov", "--simulate", "s", "--simulations", "2", "--out", "new"],
      expected: ["contexture: --simulations 2: is out of range; use a number from 10 to 200"]),
  ]

  private static func configuration(_ architecture: String, _ more: String = "") -> String {
    #"{"architectures": ["\#(architecture)"], "hidden_size": 8\#(more)}"#
  }

  private static let models: [Case] = [
    Case(
      name: "a model that was not fetched", arguments: ["score", "--model", "smollm2-135m", "--prompt", "x"],
      expected: [
        "contexture: models/smollm2-135m/model.gguf: the model smollm2-135m has not been fetched; "
          + "run 'contexture model fetch smollm2-135m'"
      ]),
    Case(
      name: "no such model", arguments: ["score", "--model", "dir/m.gguf", "--prompt", "x"],
      expected: ["contexture: dir/m.gguf: no such model, file or folder; give a GGUF file"]),
    Case(
      name: "a model that cannot be fetched", arguments: ["model", "fetch", "gpt-9"],
      expected: ["contexture: gpt-9: no model of this name can be fetched; choose one of smollm2-135m"]),
    Case(
      name: "a file that is no GGUF", arguments: ["model", "inspect", "m.gguf"],
      files: ["m.gguf": String(repeating: "hello ", count: 20)], expected: ["m.gguf: ", "; "]),
    Case(
      name: "a folder without a model", arguments: ["model", "inspect", "dir"], files: ["dir/a": "x"],
      expected: ["dir: holds neither config.json nor a GGUF file; give a GGUF file"]),
    Case(
      name: "a folder without weights", arguments: ["model", "inspect", "dir"],
      files: ["dir/config.json": configuration("LlamaForCausalLM")],
      expected: ["dir: holds neither model.safetensors nor model.safetensors.index.json; fetch the weights"]),
  ]

  private static let runs: [Case] = ["export", "evaluate"].map { command in
    Case(
      name: "\(command) of a folder that is no run",
      arguments: [command, "none"] + (command == "export" ? ["--task", "see"] : []),
      expected: ["none: is not a run: it has no run.json; give the folder of a training"])
  }

  private static let clusters: [Case] = [
    Case(
      name: "no such emulated cluster", arguments: ["cluster", "emulate", "none.yaml", "--", "true"],
      expected: ["contexture: none.yaml: there is no such file; check the path"]),
    Case(
      name: "a bandwidth without its unit", arguments: ["cluster", "emulate", "e.yaml", "--", "true"],
      files: ["e.yaml": "hosts: [{name: a, link: {bandwidth: 100}}]"],
      expected: [
        "contexture: e.yaml:1: field 'hosts.0.link.bandwidth': '100' is not a number of Mbit/s; "
          + "write a number and its unit, as in 100 Mbit/s"
      ]),
    Case(
      name: "an emulated cluster for a program that is not there",
      arguments: ["cluster", "emulate", "e.yaml", "--", "no-such-program"],
      files: ["e.yaml": "hosts: [{name: a}]"],
      expected: ["contexture: no-such-program: is not a program; check its path, or PATH"]),
  ]

  private static func usage(_ name: String, _ arguments: [String], _ expected: String...) -> Case {
    Case(name: name, arguments: arguments, expected: ["Error: ", "Usage: contexture"] + expected)
  }

  private static let stores: [Case] = [
    Case(
      name: "no store here", arguments: ["runs", "list"],
      expected: ["contexture: contexture.sqlite: does not exist; give the store of a training with --store"]),
    Case(
      name: "a store that is a text", arguments: ["runs", "show", "abc", "--store", "s"],
      files: ["s": "name: iov, a text of more than sixteen bytes\n"],
      expected: ["contexture: s: is not a store of runs; give another file with --store"]),
    Case(
      name: "a store that is a folder", arguments: ["runs", "compare", "a", "b", "--store", "d"],
      files: ["d/x": ""], expected: ["contexture: d: is a folder, not the file of a store"]),
    Case(
      name: "an empty store", arguments: ["runs", "list", "--store", "s"], files: ["s": ""],
      expected: ["contexture: s: is empty: nothing was recorded in it"]),
    Case(
      name: "a store in a folder that is missing",
      arguments: ["evaluate", "run", "--store", "no/store"],
      expected: ["contexture: no/store: its folder does not exist; create "]),
  ]

  private static let usage: [Case] = [
    usage("one run to compare", ["runs", "compare", "a"], "1 is too few to compare; name at least two"),
    usage(
      "a store and none", ["train", "w.yaml", "--out", "run", "--store", "s", "--no-store"],
      "--no-store: contradicts --store"),
    usage(
      "a dry run with events", ["train", "w.yaml", "--dry-run", "--tensorboard", "events"],
      "leave --store and --tensorboard out"),
    usage("an unknown command", ["grpah"], "grpah"),
    usage("a missing argument", ["graph"], "Missing expected argument '<workflow.yaml>'"),
    usage("an unknown flag", ["graph", "w.yaml", "--fromat", "dot"], "Unknown option '--fromat'"),
    usage("a value that is none of the choices", ["graph", "w.yaml", "--format", "svg"], "'svg'", "mermaid"),
    usage("an emulated cluster for nothing", ["cluster", "emulate", "e.yaml"], "no command; write '--'"),
    usage(
      "a training without a folder", ["train", "w.yaml"], "--out: is missing; give the run folder to create"),
    usage(
      "steps of a training", ["train", "w.yaml", "--out", "run", "--steps", "2"], "--steps: is for --dry-run"),
    usage(
      "a training's format", ["train", "w.yaml", "--out", "run", "--format", "json"],
      "--format: is for --dry-run"),
    usage(
      "a dry run over a cluster", ["train", "w.yaml", "--dry-run", "--cluster", "c.yaml"],
      "use 'contexture plan --cluster'"),
    usage(
      "a dry run that resumes", ["train", "w.yaml", "--out", "run", "--dry-run", "--resume"],
      "leave --resume out"),
    usage(
      "a dry run of no steps", ["train", "w.yaml", "--dry-run", "--steps", "0"],
      "--steps: 0 is outside 1...1000"),
    usage(
      "a timeout beyond all clocks",
      ["train", "w.yaml", "--out", "run", "--cluster", "c.yaml", "--deadline", "1e300"],
      "use seconds above 0, at most 1000000"),
    usage("a number that is none", ["data", "make", "iov", "--episodes", "many", "--out", "new"], "'many'"),
  ]
}
