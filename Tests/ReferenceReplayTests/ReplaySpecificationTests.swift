import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import ReferenceReplay
import SafeFiles
import TestSupport
import Testing

/// What cannot be replayed is refused by file and field, before anything is computed.
struct ReplaySpecificationTests {
  private static let text = """
    {"rank": 4, "alpha": 8, "frozenRatio": 0.5, "learningRate": 0.001, "targets": ["q_proj"],
     "tasks": [{"name": "a", "parents": [], "batches": [[{"ids": [1, 2, 3], "labels": [-100, 5, 6]}]]},
               {"name": "b", "parents": ["a"], "batches": [[{"ids": [95], "labels": [0]}]]}]}
    """
  /// A vocabulary of 96 and a context of 64.
  private static let model = Fixtures.url("training/models/example")

  /// A part of the text, what stands there instead, and what is said about it.
  struct Case: CustomTestStringConvertible {
    let old: String
    let new: String
    let message: String

    init(_ old: String, _ new: String, _ message: String) {
      self.old = old
      self.new = new
      self.message = message
    }

    /// With a field more.
    init(adding field: String, _ message: String) {
      self.init(#""rank": 4,"#, #""rank": 4, \#(field),"#, message)
    }

    var testDescription: String { message }
  }

  static let tokens: [Case] = [
    Case(
      "[1, 2, 3]", "[1, 96, 3]",
      "tasks.a.batches[0][0].ids[1]: 96 is not a token of the model; give a number from 0 to 95"),
    Case("[1, 2, 3]", "[1, 2, -1]", "tasks.a.batches[0][0].ids[2]: -1 is not a token of the model; give"),
    Case("[1, 2, 3]", "[1, 2, -100]", "tasks.a.batches[0][0].ids[2]: -100 is not a token of the model; give"),
    Case("[1, 2, 3]", "[1.5, 2, 3]", "tasks.a.batches[0][0].ids[0]: 1.5 is not a token of the model; give"),
    Case("[1, 2, 3]", "[]", "tasks.a.batches[0][0].ids: is empty; give at least one token"),
    Case(
      "[1, 2, 3]", "[\([String](repeating: "1", count: 65).joined(separator: ", "))]",
      "tasks.a.batches[0][0].ids: 65 tokens do not fit the context of 64; shorten the sequence"),
    Case(
      "[-100, 5, 6]", "[-100, -1, 6]",
      "tasks.a.batches[0][0].labels[1]: -1 is not a token of the model; give a number from 0 to 95, or -100 for "
        + "no loss"),
    Case("[-100, 5, 6]", "[-100, 5, 96]", "tasks.a.batches[0][0].labels[2]: 96 is not a token of the model"),
    Case("[-100, 5, 6]", "[5, 6]", "tasks.a.batches[0][0].labels: has 2 labels for 3 ids; give one label"),
    Case(
      "[-100, 5, 6]", "[-100, -100, -100]",
      "tasks.a.batches[0]: has no label but -100; give a token to be predicted"),
    Case(#", "labels": [0]"#, "", "tasks.b.batches[0][0].labels: is missing; add it: a list"),
    Case(#"[[{"ids": [95], "labels": [0]}]]"#, "[]", "tasks.b.batches: is empty; give at least one batch"),
    Case(#""name": "a", "#, "", "tasks[0].name: is missing; add it: a text"),
    Case(#""parents": ["a"]"#, #""parents": ["c"]"#, "tasks: task 'b' has the parent 'c', which is not a"),
  ]

  static let settings: [Case] = [
    Case(adding: #""betas": [0.9]"#, "betas: is a list of 1, not of two numbers; give two, as in [0.9, 0.99"),
    Case(adding: #""betas": 0.9"#, "betas: is not a list; correct it"),
    Case(adding: #""betas": [0.9, 1]"#, "betas[1]: 1.0 is not a decay rate; give a number from 0 to below 1"),
    Case(adding: #""schedule": "cosine""#, "schedule: 'cosine' is unknown or not computed here; use const"),
    Case(adding: #""dtype": "float64""#, "dtype: 'float64' is unknown or not computed here; use float32"),
    Case(adding: #""prerequisites": "all""#, "prerequisites: 'all' is unknown or not computed here; use anc"),
    Case(adding: #""rounds": 0"#, "rounds: 0 rounds are outside 1...1000000; use a number in that range"),
    Case(adding: #""clipNorm": -1"#, "clipNorm: -1.0 is below 0.0; give a larger number"),
    Case(#""rank": 4, "#, "", "rank: is missing; add it: a whole number"),
    Case(#""rank": 4"#, #""rank": 3"#, "rank: rank 3 does not divide evenly among 2 tasks; use 2 or 4"),
    Case(#""rank": 4"#, #""rank": 4.5"#, "rank: is not a whole number; correct it"),
    Case(#""frozenRatio": 0.5"#, #""frozenRatio": 2"#, "frozenRatio: the frozen ratio 2.0 is outside 0...1"),
    Case(#"["q_proj"]"#, #"["lm_head"]"#, "targets[0]: 'lm_head' is unknown or not computed here; use "),
    Case(#"["q_proj"]"#, "[]", "targets: names no layer; use q_proj or "),
    Case(text, "[]", "is not an object; give the specification"),
    Case(text, "{", "JSON at byte 1: "),
    Case(text, "", "JSON at byte 0: "),
  ]

  @Test(arguments: tokens + settings)
  func refused(_ wrong: Case) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let file = folder.appendingPathComponent("spec.json")
      let range = try #require(Self.text.range(of: wrong.old))
      try Data(Self.text.replacingCharacters(in: range, with: wrong.new).utf8).write(to: file)
      let error = #expect(throws: FileError.self) {
        try ReferenceReplay(
          specification: file, initial: folder.appendingPathComponent("none"),
          model: ModelFiles.open(Self.model.path).weights)
      }
      let message = try #require(error).description
      #expect(message.hasPrefix("\(file.path): \(wrong.message)"), "\(message)")
      #expect(message.contains("; ") && !message.contains("\n"))
    }
  }

  @Test("files that are not there, and what is accepted")
  func files() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let (file, initial) = (
        folder.appendingPathComponent("spec.json"), folder.appendingPathComponent("initial.safetensors")
      )
      let weights = try ModelFiles.open(Self.model.path).weights
      func replay() throws -> ReferenceReplay {
        try ReferenceReplay(specification: file, initial: initial, model: weights)
      }
      func isMissing(_ url: URL) -> Bool {
        do {
          _ = try replay()
          return false
        } catch {
          return "\(error)".hasPrefix("\(url.path): cannot open: No such file") && error is FileError
        }
      }
      #expect(isMissing(file))
      try Data(Self.text.utf8).write(to: file)
      #expect(isMissing(initial))

      let configuration = weights.configuration
      let modules = TargetModule.all(configuration, layers: 0..<configuration.layerCount, targets: [.q_proj])
      let adapter = LoRAAdapter(modules: modules, rank: 4, scale: 2, seed: 1)
      try SafetensorsWriter.write(AdapterTensors.tensors(adapter), to: initial)
      let accepted = try replay()
      #expect(accepted.initialAdapter == adapter)
      let outcome = try accepted.run()
      #expect(outcome.losses.map(\.task) == ["a", "b"] && outcome.adapter != adapter)

      // As in the reference, a norm of 0 is none.
      let unclipped = Self.text.replacing(#""rank": 4,"#, with: #""rank": 4, "clipNorm": 0,"#)
      try Data(unclipped.utf8).write(to: file)
      #expect(try replay().run().adapter == outcome.adapter)
    }
  }

  @Test("a training that diverges is said to")
  func divergence() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let example = Fixtures.url("training/cases/example")
      let file = folder.appendingPathComponent("spec.json")
      let data = try Data(contentsOf: example.appendingPathComponent("spec.json"))
      var json = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
      json["learningRate"] = 1e30
      try JSONSerialization.data(withJSONObject: json).write(to: file)
      let replay = try ReferenceReplay(
        specification: file, initial: example.appendingPathComponent("initial.safetensors"),
        model: ModelFiles.open(Self.model.path).weights)
      let error = #expect(throws: FileError.self) { try replay.run() }
      #expect(error?.field == "learningRate" && error?.problem.contains("diverged") == true)
    }
  }
}
