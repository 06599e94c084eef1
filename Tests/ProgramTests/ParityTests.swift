import Checkpoint
import Foundation
import TestSupport
import Testing

@Suite("parity") struct ParityTests {
  private let model = Fixtures.url("training/models/example").path
  private let example = Fixtures.url("training/cases/example")

  private func parity(_ arguments: [String], in folder: URL) throws -> Program.Outcome {
    try Program.run(arguments, in: folder, program: Program.built("parity"))
  }

  private func train(_ specification: String, out: String) -> [String] {
    [
      "train", "--model", model, "--spec", specification, "--initial",
      example.appendingPathComponent("initial.safetensors").path, "--out", out,
    ]
  }

  @Test func wrongInputEndsWith2() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let whole = example.appendingPathComponent("spec.json").path
      try Data("{}".utf8).write(to: folder.appendingPathComponent("empty.json"))
      let before = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      for (arguments, expected) in [
        (train("\(folder.path)/none.json", out: "out"), "parity: \(folder.path)/none.json: cannot open"),
        (
          train("\(folder.path)/empty.json", out: "out"),
          "parity: \(folder.path)/empty.json: rank: is missing; add it"
        ),
        (train(whole, out: "empty.json"), "parity: empty.json: cannot be created as a folder; give --out"),
        (["logits", "--model", "/no/such", "--tokens", "1"], "parity: /no/such: no such file or folder; "),
        (["logits", "--model", model, "--tokens", "1,x"], "--tokens: 'x' is not a token id; give"),
        (["logits", "--model", model, "--tokens", "96"], "--tokens: give 1 to 64 ids below 96"),
        (["throughput", "--model", model, "--batch", "0"], "--batch: 0 is below 1; give a larger number"),
        (["throughput", "--model", model, "--length", "65"], "--length: 65 tokens do not fit the context"),
        (train(whole, out: "out") + ["--fast"], "Unknown option '--fast'"),
      ] {
        let outcome = try parity(arguments, in: folder)
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.contains(expected), "\(outcome.errors)")
        if outcome.errors.hasPrefix("parity: ") { #expect(outcome.errors.count { $0 == "\n" } == 1) }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == before)
      let help = try parity(["--help"], in: folder)
      #expect(help.status == 0 && help.output.contains("EXIT CODES") && help.errors.isEmpty)
    }
  }

  @Test func trainWritesWhatTheReferenceWrites() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let outcome = try parity(
        train(example.appendingPathComponent("spec.json").path, out: "new/out"), in: folder)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      let out = folder.appendingPathComponent("new/out")
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: out.path).sorted() == [
          "final.safetensors", "initial.safetensors", "logits.json", "losses.json",
        ])
      let given = try SafetensorsFile(example.appendingPathComponent("initial.safetensors"))
      let written = try SafetensorsFile(out.appendingPathComponent("initial.safetensors"))
      #expect(written.names == given.names)
      for name in given.names { #expect(try written.float32(name) == given.float32(name)) }
    }
  }
}
