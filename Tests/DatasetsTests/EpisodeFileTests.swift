import BenchmarkWorlds
import Datasets
import Foundation
import Glibc
import SafeFiles
import TestSupport
import Testing

/// Reads `content` as the file `data.jsonl`; removes its folder from messages.
private func read(
  _ content: String, tasks: [String] = [], inputs: [String: [String]] = [:]
) throws -> Result<[Episode], EpisodeFileError> {
  try Fixtures.withTemporaryDirectory { folder in
    let path = folder.appendingPathComponent("data.jsonl").path
    try Data(content.utf8).write(to: URL(fileURLWithPath: path))
    do throws(EpisodeFileError) {
      return .success(try EpisodeFile.read(path, schema: EpisodeSchema(tasks: tasks, inputs: inputs)))
    } catch {
      #expect(error.path == path)
      return .failure(
        EpisodeFileError(path: "data.jsonl", line: error.line, field: error.field, problem: error.problem))
    }
  }
}

private func message(
  _ content: String, tasks: [String] = [], inputs: [String: [String]] = [:]
) throws -> String {
  switch try read(content, tasks: tasks, inputs: inputs) {
  case .success(let episodes): "read \(episodes.count) episodes"
  case .failure(let error): error.description
  }
}

/// A line whose task `t` has the given item.
private func line(item: String, id: String = "a") -> String {
  #"{"id": "\#(id)", "inputs": {"x": "text"}, "tasks": {"t": \#(item)}}"#
}

private let good = line(item: #"{"question": "q", "options": ["u", "v"], "answer": 1}"#)

/// A file's content and the expected message.
struct Case: CustomTestStringConvertible {
  let content: String
  let message: String

  init(_ content: String, _ message: String) {
    self.content = content
    self.message = message
  }

  var testDescription: String { message }

  static var all: [Case] {
    var cases: [Case] = []
    cases.append(Case("", "data.jsonl: has no episodes; write one JSON object per line"))
    cases.append(Case(" \n\n", "data.jsonl: has no episodes; write one JSON object per line"))
    cases.append(
      Case(
        good + "\n{\"id\": ",
        "data.jsonl:2: not JSON at byte 8 of the line: the text ends where a value should be; "
          + "write one complete JSON object on the line"
      ))
    cases.append(
      Case(
        "hello",
        "data.jsonl:1: not JSON at byte 1 of the line: a value cannot start here; "
          + "write one complete JSON object on the line"
      ))
    cases.append(Case("[]", "data.jsonl:1: must be an object but is a list; correct the value"))
    cases.append(Case(#"{"inputs": {}, "tasks": {}}"#, #"data.jsonl:1: lacks "id"; add it"#))
    cases.append(Case(#"{"id": "a", "tasks": {}}"#, #"data.jsonl:1: lacks "inputs"; add it"#))
    cases.append(Case(#"{"id": "a", "inputs": {}}"#, #"data.jsonl:1: lacks "tasks"; add it"#))
    cases.append(
      Case(
        #"{"id": 7, "inputs": {}, "tasks": {}}"#,
        "data.jsonl:1: id: must be a string but is a number; correct the value"
      ))
    cases.append(
      Case(#"{"id": "", "inputs": {}, "tasks": {}}"#, "data.jsonl:1: id: is empty; write some text"))
    cases.append(
      Case(
        #"{"id": "a", "inputs": {"x": null}, "tasks": {}}"#,
        "data.jsonl:1: inputs.x: must be a string but is null; correct the value"
      ))
    cases.append(
      Case(
        #"{"id": "a", "inputs": {}, "tasks": []}"#,
        "data.jsonl:1: tasks: must be an object but is a list; correct the value"
      ))
    cases.append(
      Case(line(item: "3"), "data.jsonl:1: tasks.t: must be an object but is a number; correct the value"))
    cases.append(Case(line(item: #"{"answer": "a"}"#), #"data.jsonl:1: tasks.t: lacks "question"; add it"#))
    cases.append(Case(line(item: #"{"question": "q"}"#), #"data.jsonl:1: tasks.t: lacks "answer"; add it"#))
    cases.append(
      Case(
        line(item: #"{"question": "q", "option": ["u", "v"], "answer": "a"}"#),
        #"data.jsonl:1: tasks.t: unknown field "option"; an item has "question", "options" and "answer""#
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "answer": 0}"#),
        "data.jsonl:1: tasks.t.answer: must be a string, because the item has no options, but is a number; "
          + "correct the value"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", "v"], "answer": "u"}"#),
        #"data.jsonl:1: tasks.t.answer: is the text of an option, "u"; write its index, 0"#
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", "v"], "answer": "w"}"#),
        #"data.jsonl:1: tasks.t.answer: "w" is not among the options; add it there, "#
          + "and write the index of the right option"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", "u  "], "answer": 0}"#),
        #"data.jsonl:1: tasks.t.options: the options "u" and "u  " differ in white space alone; "#
          + "make the options different"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["a b", "a\u00a0b"], "answer": 0}"#),
        "data.jsonl:1: tasks.t.options: the options \"a b\" and \"a\u{a0}b\" differ in white space alone; "
          + "make the options different"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", " "], "answer": 0}"#),
        "data.jsonl:1: tasks.t.options.1: is empty; write some text"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "answer": " \u200b "}"#),
        "data.jsonl:1: tasks.t.answer: is empty; write some text"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", "v"], "answer": true}"#),
        "data.jsonl:1: tasks.t.answer: must be the index of an option (a whole number) but is true or false; "
          + "correct the value"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", "v"], "answer": 2}"#),
        "data.jsonl:1: tasks.t.answer: 2 is outside the 2 options; use an index from 0 to 1"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", "v"], "answer": -1}"#),
        "data.jsonl:1: tasks.t.answer: -1 is outside the 2 options; use an index from 0 to 1"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u"], "answer": 0}"#),
        "data.jsonl:1: tasks.t.options: has 1 option; give at least two, or none for a free-text answer"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": [], "answer": 0}"#),
        "data.jsonl:1: tasks.t.options: has 0 options; give at least two, or none for a free-text answer"
      ))
    let options = (0..<27).map { #""option \#($0)""# }.joined(separator: ", ")
    cases.append(
      Case(
        good + "\n" + line(item: #"{"question": "q", "options": [\#(options)], "answer": 0}"#, id: "b"),
        "data.jsonl:2: tasks.t.options: has 27 options, more than there are letters; give at most 26"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", "v", "u"], "answer": 0}"#),
        #"data.jsonl:1: tasks.t.options: the option "u" is listed twice; make the options different"#
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": "u", "answer": 0}"#),
        "data.jsonl:1: tasks.t.options: must be a list of strings but is a string; correct the value"
      ))
    cases.append(
      Case(
        line(item: #"{"question": "q", "options": ["u", {}], "answer": 0}"#),
        "data.jsonl:1: tasks.t.options.1: must be a string but is an object; correct the value"
      ))
    cases.append(
      Case(
        good + "\n\n" + good,
        #"data.jsonl:3: id: "a" is already the id of line 1; give every episode its own id"#
      ))
    return cases
  }
}

@Suite struct EpisodeFileTests {
  @Test func readsWhatIsThere() throws {
    let content =
      "\u{FEFF}" + good + "\r\n\n  \n"
      + line(item: #"{"question": "", "answer": "free \u00e9\ud83d\ude00"}"#, id: "b")
    let episodes = try read(content, tasks: ["t"], inputs: ["t": ["x"], "other": ["y"]]).get()
    #expect(
      episodes == [
        Episode(
          id: "a", inputs: ["x": "text"],
          tasks: ["t": TaskItem(question: "q", options: ["u", "v"], answer: 1)]),
        Episode(id: "b", inputs: ["x": "text"], tasks: ["t": TaskItem(question: "", answer: "free é😀")]),
      ])
    #expect(episodes.compactMap { $0.tasks["t"]?.answerText } == ["v", "free é😀"])
    #expect(episodes.map { $0.tasks["t"]?.answerIndex } == [1, nil])
    #expect(episodes.map { $0.origin?.line } == [1, 4])
    #expect(episodes.allSatisfy { $0.origin?.description.contains("/data.jsonl:") == true })
  }

  @Test func whatTheWorkflowAsksNeedNotBeInTheFile() throws {
    let schema = EpisodeSchema(
      tasks: ["t", "u"], inputs: ["t": ["x"]],
      questions: ["t": .init(text: "which?", options: ["a", "b"]), "u": .init(text: "what?", options: nil)])
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("d.jsonl").path
      func read(_ text: String, _ schema: EpisodeSchema) throws(EpisodeFileError) -> [Episode] {
        #expect(throws: Never.self) { try text.write(toFile: path, atomically: true, encoding: .utf8) }
        return try EpisodeFile.read(path, schema: schema)
      }
      let asked = try read(
        """
        {"inputs":{"x":"1"}}
        {"id":"own","inputs":{"x":"2"},"tasks":{"t":{"question":"or which?","options":["c","d"]}}}
        """, schema.withoutAnswers)
      #expect(asked.map(\.id) == ["line 1", "own"])
      #expect(asked[0].tasks["t"] == TaskItem(question: "which?", options: ["a", "b"]))
      #expect(asked[1].tasks["t"] == TaskItem(question: "or which?", options: ["c", "d"]))
      #expect(asked.map { $0.tasks["u"] } == [TaskItem(question: "what?", options: []), asked[0].tasks["u"]])

      let recorded = try read(
        #"{"id":"a","inputs":{"x":"1"},"tasks":{"t":{"answer":1},"u":{"answer":"so"}}}"#, schema)
      #expect(recorded[0].tasks["t"] == TaskItem(question: "which?", options: ["a", "b"], answer: 1))
      #expect(recorded[0].tasks["u"] == TaskItem(question: "what?", answer: "so"))

      for (text, problem) in [
        (#"{"inputs":{"x":"1"},"tasks":{}}"#, EpisodeFileError.Problem.missingField("id")),
        (#"{"id":"a","inputs":{"x":"1"}}"#, .missingField("tasks")),
        (#"{"id":"a","inputs":{"x":"1"},"tasks":{"t":{"answer":1}}}"#, .missingTask("u")),
        (
          #"{"id":"a","inputs":{"x":"1"},"tasks":{"t":{"answer":2},"u":{"answer":"so"}}}"#,
          .answerOutsideOptions(answer: 2, options: 2)
        ),
      ] {
        let error = #expect(throws: EpisodeFileError.self) { try read(text, schema) }
        #expect(error?.problem == problem)
      }
      #expect(throws: EpisodeFileError.self) { try read(#"{"inputs":{}}"#, schema.withoutAnswers) }
    }
  }

  @Test func answersMayBeMissingWhereTheyAreOnlyAsked() throws {
    let lines = [
      #"{"question":"q","options":["u","v"]}"#, #"{"question":"q"}"#,
      #"{"answer":1,"options":["u","v"],"question":"q"}"#,
    ].enumerated().map { line(item: $1, id: "\($0)") }
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("asked.jsonl").path
      try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
      let episodes = try EpisodeFile.read(path, schema: EpisodeSchema(tasks: ["t"], answersOptional: true))
      #expect(episodes.map { $0.tasks["t"]?.answer } == [.unknown, .unknown, .option(1)])
      #expect(episodes[0].tasks["t"]?.options == ["u", "v"] && episodes[0].tasks["t"]?.answerText == "")
      try EpisodeFile.write(episodes, to: path)
      #expect(
        try EpisodeFile.read(path, schema: EpisodeSchema(tasks: ["t"], answersOptional: true)) == episodes)
      #expect(throws: EpisodeFileError.self) {
        try EpisodeFile.read(path, schema: EpisodeSchema(tasks: ["t"]))
      }
    }
  }

  @Test func readsAsManyOptionsAsThereAreLetters() throws {
    let options = (0..<26).map { #""option \#($0)""# }.joined(separator: ", ")
    let item = #"{"question": "q", "options": [\#(options)], "answer": 25}"#
    #expect(try read(line(item: item)).get().first?.tasks["t"]?.answerText == "option 25")
  }

  @Test("a table gives back what was put into it, byte by byte, with its lines")
  func table() throws {
    // More texts than are kept once, composed and decomposed letters, and all kinds of items.
    let episodes = (0..<70_000).map { index in
      Episode(
        id: "e\(index)", inputs: ["x": String(repeating: "text ", count: index % 7), "\(index)": ""],
        tasks: [
          "a": TaskItem(question: "question \(index)", options: ["u", "v", "e\u{301}"], answer: index % 3),
          "b": TaskItem(question: "q", answer: index % 2 == 0 ? "\u{e9}" : "e\u{301}"),
          "c": TaskItem(question: "", options: index % 2 == 0 ? [] : ["\u{e9}", "x"]),
        ], origin: Episode.Origin(path: "d.jsonl", line: index + 1))
    }
    let table = EpisodeTable(episodes)
    #expect(table.count == episodes.count && table.elementsEqual(episodes))
    #expect(table.last?.origin == episodes.last?.origin)
    let isExact = zip(table, episodes).allSatisfy { kept, given in
      ["a", "b", "c"].allSatisfy { task in
        guard let (one, other) = kept.tasks[task].map({ ($0, given.tasks[task]) }), let other else {
          return false
        }
        return one.answerText.utf8.elementsEqual(other.answerText.utf8)
          && zip(one.options, other.options).allSatisfy { $0.utf8.elementsEqual($1.utf8) }
      }
    }
    #expect(isExact)
    #expect(EpisodeTable([Episode]()).isEmpty)
    let made = Episode(id: "m", inputs: [:], tasks: [:])
    #expect(EpisodeTable([made])[0].origin == nil)
  }

  @Test("an object may have very many keys")
  func manyKeys() throws {
    let inputs = (0..<100_000).map { #""k\#($0)": "v""# }.joined(separator: ", ")
    let text = #"{"id": "a", "inputs": {\#(inputs)}, "tasks": {}}"#
    #expect(try read(text).get().first?.inputs.count == 100_000)
    #expect(
      try message(text.replacingOccurrences(of: "\"k99999\"", with: "\"k5\"")).contains(
        #"the key "k5" is repeated"#))
  }

  @Test("what an episode shows is the inputs that tasks read, the questions and the options")
  func shown() {
    func episode(
      _ scene: String = "s", unread: String = "", question: String = "q", options: [String] = ["u", "v"]
    )
      -> Episode
    {
      Episode(
        id: "\(scene)\(question)", inputs: ["scene": scene, "unread": unread],
        tasks: ["t": TaskItem(question: question, options: options, answer: 0)])
    }
    let shown = ShownContent([DatasetTask(name: "t", inputs: ["scene"])])
    let one = shown.fingerprint(episode())
    #expect(shown.fingerprint(episode(unread: "other")) == one)
    for other in [episode("s2"), episode(question: "q2"), episode(options: ["v", "u"])] {
      #expect(shown.fingerprint(other) != one)
    }
  }

  @Test func walksThroughWithoutKeeping() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("d.jsonl").path
      let episodes = (0..<5000).map { Episode(id: "\($0)", inputs: [:], tasks: [:]) }
      try EpisodeFile.write(episodes, to: path)
      var ids: [String] = []
      try EpisodeFile.forEach(in: path) { ids.append($0.id) }
      #expect(ids == episodes.map(\.id))
    }
  }

  /// A file of several pieces, written long ago, so that the time of a change differs from its own.
  private func large(_ folder: URL) throws -> URL {
    let url = folder.appendingPathComponent("d.jsonl")
    let text = String(repeating: "x", count: 1000)
    try EpisodeFile.write(
      (0..<4000).map { Episode(id: "\($0)", inputs: ["x": text], tasks: [:]) }, to: url.path)
    let times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, url.path, times, 0) == 0)
    return url
  }

  @Test("a file that is truncated or written to while it is read is an error that says so")
  func changed() throws {
    let changes: [(String, (URL) throws -> Void)] = [
      ("truncated", { #expect(truncate($0.path, 5000) == 0) }),
      ("emptied", { #expect(truncate($0.path, 0) == 0) }),
      (
        "overwritten",
        { url in
          let handle = try FileHandle(forWritingTo: url)
          try handle.seek(toOffset: 3_000_000)
          try handle.write(contentsOf: Data("\nnot JSON\n".utf8))
          try handle.close()
        }
      ),
      (
        "continued",
        { url in
          let handle = try FileHandle(forWritingTo: url)
          try handle.seekToEnd()
          try handle.write(contentsOf: Data("{}\n".utf8))
          try handle.close()
        }
      ),
    ]
    for (name, change) in changes {
      try Fixtures.withTemporaryDirectory { folder in
        let url = try large(folder)
        var count = 0
        let result = Result {
          try EpisodeFile.forEach(in: url.path) { _ in
            if count == 0 { #expect(throws: Never.self) { try change(url) } }
            count += 1
          }
        }
        let error = #expect(throws: EpisodeFileError.self, "\(name)") { try result.get() }
        guard case .changed = error?.problem else {
          Issue.record("\(name): \(error?.description ?? "")")
          return
        }
        #expect(error?.description.hasPrefix("\(url.path): has changed since it was opened") == true)
      }
    }
  }

  @Test("lines may be longer than the pieces that are read, up to a limit")
  func longLines() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("d.jsonl").path
      let lengths = [3, 1 << 20, (1 << 20) + 1, 5_000_000, 0, 2_097_151, 2_097_152, 17]
      let lines = lengths.map { String(repeating: "a", count: $0) }
      for end in ["", "\n"] {
        try Data((lines.joined(separator: "\n") + end).utf8).write(to: URL(fileURLWithPath: path))
        let reader = try EpisodeLines(path)
        for (number, length) in lengths.enumerated() {
          let line = try reader.next()
          #expect(line?.count == length && line?.allSatisfy { $0 == 0x61 } == true)
          #expect(reader.number == number + 1)
        }
        #expect(try reader.next() == nil && reader.progress?.done == reader.progress?.all)
        let limited = try EpisodeLines(path, limit: 4_999_999)
        for _ in 0..<3 { _ = try limited.next() }
        #expect(throws: EpisodeFileError(path: path, line: 4, problem: .longLine(4_999_999))) {
          _ = try limited.next()
        }
      }
    }
  }

  @Test("a pipe is read to its end, in whatever pieces it comes")
  func pipe() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = try large(folder).path
      let expected = try EpisodeFile.read(path).map(\.id)
      let content = try Data(contentsOf: URL(fileURLWithPath: path))
      let fifo = folder.appendingPathComponent("pipe").path
      #expect(mkfifo(fifo, 0o600) == 0)
      Thread {
        guard let handle = FileHandle(forWritingAtPath: fifo) else { return }
        try? handle.write(contentsOf: content.prefix(1))
        try? handle.write(contentsOf: content.dropFirst())
        try? handle.close()
      }.start()
      #expect(try EpisodeFile.read(fifo).map(\.id) == expected)
    }
  }

  @Test(arguments: Case.all)
  func saysWhatIsWrong(wrong: Case) throws {
    #expect(try message(wrong.content) == wrong.message)
  }

  @Test func saysWhatTheWorkflowLacks() throws {
    #expect(
      try message(good, tasks: ["t", "route"])
        == #"data.jsonl:1: tasks: lacks the task "route"; add its item, or remove the task from the workflow"#
    )
    #expect(
      try message(good, tasks: ["t"], inputs: ["t": ["x", "scene"]])
        == #"data.jsonl:1: inputs: lacks the input "scene" that the task "t" reads; "#
        + "add it, or remove it from the task")
  }

  @Test func whatIsWrongWithTheWholeFileIsSaidOnce() throws {
    let umlaut = line(item: #"{"question": "Gefährlich?", "options": ["u", "v"], "answer": 1}"#, id: "b")
    let text = good + "\n" + umlaut + "\n" + good + "\n"
    let pretty = "\n{\n  \"id\": \"a\",\n  \"inputs\": {},\n  \"tasks\": {}\n}\n{\n  \"id\": \"b\"\n}\n"
    let latin1 = text.data(using: .isoLatin1) ?? Data()
    let cases: [(Data, String)] = [
      (text.data(using: .utf16) ?? Data(), ": is UTF-16; save it as UTF-8"),
      (text.data(using: .utf16LittleEndian) ?? Data(), ": is UTF-16; save it as UTF-8"),
      (text.data(using: .utf16BigEndian) ?? Data(), ": is UTF-16; save it as UTF-8"),
      (latin1, ":2: is not UTF-8 but perhaps Latin-1; save it as UTF-8"),
      (
        Data(pretty.utf8),
        ":2: an object extends over several lines; write each object on one line, as 'jq -c .' does"
      ),
    ]
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("data.jsonl").path
      for (bytes, expected) in cases {
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(EpisodeFile.mistakes(in: path).map(\.description) == [path + expected])
      }
      // A line that was cut off is one mistake; the next ones are read.
      try Data((good.prefix(20) + "\n" + umlaut + "\n{\n").utf8).write(to: URL(fileURLWithPath: path))
      #expect(EpisodeFile.mistakes(in: path).map(\.line) == [1, 3])
    }
  }

  @Test func saysWhatCannotBeOpened() throws {
    #expect(throws: EpisodeFileError(path: "/nonexistent/a.jsonl", problem: .missing)) {
      try EpisodeFile.read("/nonexistent/a.jsonl")
    }
    #expect(
      EpisodeFileError(path: "a.jsonl", problem: .missing).description
        == "a.jsonl: no such file; check the path, or make the data first")
    try Fixtures.withTemporaryDirectory { folder in
      let error = EpisodeFileError(path: folder.path, problem: .folder)
      #expect(throws: error) { try EpisodeFile.read(folder.path) }
      #expect(
        error.description
          == "\(folder.path): is a folder; give a file of episodes, or remove the folder")
      // What is not there is told from what the system does not let us see.
      let file = folder.appendingPathComponent("file").path
      try good.write(toFile: file, atomically: true, encoding: .utf8)
      for (path, reason) in [
        (file + "/train.jsonl", "Not a directory"),
        (folder.path + "/" + String(repeating: "x", count: 300), "File name too long"),
      ] {
        let error = EpisodeFileError(path: path, problem: .unreadable(reason))
        #expect(throws: error) { try EpisodeFile.read(path) }
        #expect {
          try DatasetMistakes.refuse(in: DatasetFolder(path: path), schema: EpisodeSchema())
        } throws: { ($0 as? DatasetMistakes)?.mistakes == [error] }
      }
    }
  }

  @Test(arguments: [
    #"{"a": 1,}"#, #"{"a" 1}"#, #"{a: 1}"#, "[1 2]", "[1,]", "01", "1.", "-", "1e", "tru", "nul", #""\x""#,
    #""\u12g4""#,
    #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#, "\"a\u{1}\"", #""a"#, "[1", "1 2", "1e999",
    #"{"a":1,"a":2}"#,
    String(repeating: "[", count: 100),
  ])
  func refusesWhatIsNotJSON(text: String) throws {
    guard case .failure(let error) = try read(text), case .notJSON = error.problem else {
      Issue.record("was taken as JSON: \(text)")
      return
    }
  }

  @Test func refusesBrokenUTF8() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("d.jsonl").path
      try Data([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]).write(to: URL(fileURLWithPath: path))
      #expect(
        throws: EpisodeFileError(
          path: path, line: 1, problem: .encoding("not UTF-8 but perhaps Latin-1"))
      ) { try EpisodeFile.read(path) }
    }
  }
}

@Suite struct EpisodeWritingTests {
  private let odd = Episode(
    id: "a/\"b\"", inputs: ["z": "tab\t\u{1}\\ line\nend\r", "é": "😀/", "a": ""],
    tasks: [
      "t": TaskItem(question: "q?", options: ["u", "v"], answer: 0),
      "s": TaskItem(question: "", answer: "free"),
    ])

  @Test func writesTheSameBytes() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("d.jsonl").path
      try EpisodeFile.write([odd], to: path)
      let expected =
        #"{"id":"a/\"b\"","inputs":{"a":"","z":"tab\t\u0001\\ line\nend\r","é":"😀/"},"#
        + #""tasks":{"s":{"answer":"free","question":""},"#
        + #""t":{"answer":0,"options":["u","v"],"question":"q?"}}}"# + "\n"
      #expect(try String(contentsOfFile: path, encoding: .utf8) == expected)
      #expect(try EpisodeFile.read(path) == [odd])
    }
  }

  @Test func agreesWithFoundation() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("d.jsonl").path
      try EpisodeFile.write([odd], to: path)
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
      #expect(object["inputs"] as? [String: String] == odd.inputs)
    }
  }

  @Test func failureLeavesNothingBehind() throws {
    try Fixtures.withTemporaryDirectory { folder in
      // A non-empty folder has the name of the target file, so only the last step fails.
      let target = folder.appendingPathComponent("d.jsonl")
      try FileManager.default.createDirectory(
        at: target.appendingPathComponent("inside"), withIntermediateDirectories: true)
      let refused = #expect(throws: FileError.self) { try EpisodeFile.write([odd], to: target.path) }
      #expect(refused?.file == target.path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["d.jsonl"])

      let lost = folder.appendingPathComponent("none/d.jsonl").path
      let error = #expect(throws: FileError.self) { try EpisodeFile.write([odd], to: lost) }
      #expect(error?.file == lost && error?.kind == .missing)
    }
  }

  @Test func replacesAnOlderFile() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let path = folder.appendingPathComponent("d.jsonl").path
      try EpisodeFile.write([odd, Episode(id: "b", inputs: [:], tasks: [:])], to: path)
      try EpisodeFile.write([odd], to: path)
      #expect(try EpisodeFile.read(path) == [odd])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["d.jsonl"])
    }
  }

  @Test func folderHoldsThreeFiles() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let data = DatasetFolder(path: folder.appendingPathComponent("city").path)
      let world = CityWorld(difficulty: try Difficulty())
      let splits = try world.splits(episodes: 50, seed: 2, noise: [:])
      try data.write(splits)
      let inputs = Dictionary(uniqueKeysWithValues: world.tasks.map { ($0.name, $0.inputs) })
      #expect(
        try data.read(schema: EpisodeSchema(tasks: world.tasks.map(\.name), inputs: inputs)) == splits)
      #expect(try data.read(.valid) == splits.valid)
      try FileManager.default.removeItem(atPath: data.file(.valid))
      #expect(throws: EpisodeFileError(path: data.path + "/valid.jsonl", problem: .missing)) {
        try data.read()
      }
    }
    #expect(DatasetFolder(path: "a/b").file(.test) == "a/b/test.jsonl")
  }

  @Test func splitsKeepTheirShares() {
    func sizes(_ count: Int) -> [Int] {
      let splits = DatasetSplits(
        cutting: (0..<count).map { Episode(id: "\($0)", inputs: [:], tasks: [:]) })
      #expect((splits.train + splits.valid + splits.test).map(\.id) == (0..<count).map(String.init))
      return [splits.train.count, splits.valid.count, splits.test.count]
    }
    #expect(sizes(1000) == [800, 100, 100])
    #expect(sizes(19) == [17, 1, 1])
    #expect(sizes(3) == [1, 1, 1])
  }
}
