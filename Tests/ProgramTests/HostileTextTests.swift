import Checkpoint
import Foundation
import TestSupport
import Testing

/// Names and texts of files that would command a terminal, or break a message into lines.
@Suite("Text of files on a terminal") struct HostileTextTests {
  private static let hostile = "x\u{1B}]0;title\u{7}\u{1B}[2J\u{9B}31m\u{202E}y\nz\r"

  private static func quoted(_ text: String) throws -> String {
    String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
  }

  private static func files() throws -> [String: String] {
    let bad = try quoted(hostile)
    return [
      "w.yaml": """
      name: \(bad)
      model: m
      data: d
      tasks:
        - {name: \(bad), instruction: Look., inputs: [\(bad)]}
        - {name: b, instruction: \(bad), parents: [\(bad)]}
      """,
      "key.yaml": "name: n\n\(bad): 1\n",
      "long.yaml": "name: n\n\(String(repeating: "k", count: 1000)): 1\n",
      "value.yaml": "name: n\nmodel: m\ndata: d\ntasks: [{name: a, instruction: b}]\ntraining:\n"
        + "  schedule: \(String(repeating: "k", count: 100_000))\n",
      "d/train.jsonl": """
      {"id":\(bad),"inputs":{\(bad):\(bad)},"tasks":{\(bad):{"question":\(bad),"options":[\(bad),"b"],"answer":0},\
      "b":{"question":"q","answer":\(bad)}}}
      {"id":\(bad),"inputs":{\(bad):"1"},"tasks":{}}

      """,
      "c.yaml":
        "name: \(bad)\ndevices: [{name: \(bad), kind: orin-nano}, {name: b, kind: \(bad)}]\nnetworks: []\n",
      "plan.json": "{\(bad): 1}",
    ]
  }

  @Test(arguments: [
    ["graph", "w.yaml"], ["graph", "w.yaml", "--format", "mermaid"], ["graph", "w.yaml", "--format", "dot"],
    ["graph", "w.yaml", "--format", "json"], ["graph", "key.yaml"], ["graph", "w.yaml", "--set", hostile],
    ["data", "check", "d", "--workflow", "w.yaml"], ["data", "check", hostile, "--workflow", "w.yaml"],
    ["prompt", "w.yaml", "--task", hostile], ["train", "w.yaml", "--out", hostile],
    ["plan", "w.yaml", "--cluster", "c.yaml"], ["evaluate", hostile], ["model", "inspect", "d/train.jsonl"],
  ])
  func isEscaped(_ arguments: [String]) throws {
    try Fixtures.withTemporaryDirectory { folder in
      for (name, text) in try Self.files() {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
      }
      let outcome = try Program.run(arguments, in: folder)
      expectSafe(outcome)
      #expect(outcome.status == 0 || outcome.status == 2)
    }
  }

  @Test func metadataOfAModelIsEscaped() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let file = folder.appendingPathComponent("m.gguf")
      try GGUFWriter.write(
        metadata: [
          ("general.architecture", .string(Self.hostile)), (Self.hostile, .string(Self.hostile)),
        ],
        tensors: [
          GGUFWriter.Tensor(
            name: Self.hostile, shape: [1], type: .f32, bytes: [UInt8](repeating: 0, count: 4))
        ], to: file)
      let outcome = try Program.run(["model", "inspect", file.path])
      expectSafe(outcome)
    }
  }

  @Test func longMessagesAreCut() throws {
    try Fixtures.withTemporaryDirectory { folder in
      for (name, text) in try Self.files() where !name.hasPrefix("d/") {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
      }
      for name in ["long.yaml", "value.yaml"] {
        let outcome = try Program.run(["graph", name], in: folder)
        #expect(outcome.status == 2)
        #expect(outcome.errors.count < 1100)
        #expect(outcome.errors.hasPrefix("contexture: \(name):"))
        #expect(outcome.errors.contains("; use one of: "), "the remedy: \(outcome.errors)")
      }
    }
  }

  func expectSafe(_ outcome: Program.Outcome) {
    let shown = outcome.output + outcome.errors
    let commands = shown.unicodeScalars.filter {
      $0.value < 0x20 && $0 != "\n" && $0 != "\t" || (0x7F..<0xA0).contains($0.value) || $0 == "\u{202E}"
    }
    #expect(commands.isEmpty, "\(commands.map(\.value)) in \(shown.debugDescription)")
    #expect(!shown.contains("y\nz"))
  }
}
