import ContextGear
import Foundation
import ProjectFixtures
import TestSupport
import Testing

/// The programs on processors that do not multiply bfloat16 in hardware. A variable of the matrix library
/// makes it leave out the features of newer processors (it has no effect on processors of another kind, which
/// lack them).
@Suite(.serialized) struct EmulatedBFloat16Tests {
  private static let note = "note: bfloat16 is emulated on this processor: no faster than float32"
  private static let model = Fixtures.url("training/models/grouped").path

  private func run(
    _ arguments: [String], in folder: URL, program: URL = Program.url
  ) throws -> Program.Outcome {
    try Program.run(arguments, in: folder, shell: "export ONEDNN_MAX_CPU_ISA=AVX2", program: program)
  }

  private func notes(_ outcome: Program.Outcome) -> Int {
    outcome.errors.split(separator: "\n").count { $0.hasPrefix(Self.note) }
  }

  @Test func aRunTrainsAndIsMeasuredWithANote() throws {
    try TinyProject.with { project in
      let training = try run(
        ["train", "workflow.yaml", "--out", "run", "--set", "training.precision=bfloat16"],
        in: project.folder)
      #expect(training.status == 0 && notes(training) == 1, "\(training)")
      #expect(training.output.contains(" in bfloat16, "))
      for arguments in [
        ["evaluate", "run", "--limit", "2", "--format", "json"],
        ["run", "run", "--episode", "data/test.jsonl", "--limit", "1"],
      ] {
        let outcome = try run(arguments, in: project.folder)
        #expect(outcome.status == 0 && !outcome.output.isEmpty && notes(outcome) == 1, "\(outcome)")
      }
    }
  }

  @Test func autoTakesFloat32() throws {
    try TinyProject.with { project in
      let training = try run(
        ["train", "workflow.yaml", "--out", "run", "--set", "training.precision=auto"], in: project.folder)
      #expect(training.status == 0 && training.errors.isEmpty, "\(training)")
      #expect(training.output.contains(" in float32, "))
    }
  }

  @Test func parityComputesAndNotes() throws {
    try Fixtures.withTemporaryDirectory { folder in
      func logits(_ precision: String) throws -> [Double] {
        let outcome = try run(
          ["logits", "--model", Self.model, "--tokens", "1,2,3", "--precision", precision], in: folder,
          program: Program.built("parity"))
        #expect(outcome.status == 0 && notes(outcome) == (precision == "float32" ? 0 : 1), "\(outcome)")
        return try JSONDecoder().decode([Double].self, from: Data(outcome.output.utf8))
      }
      let (exact, rounded) = (try logits("float32"), try logits("bfloat16"))
      let largest = exact.map(abs).max() ?? 0
      let difference = zip(exact, rounded).map { abs($0 - $1) }.max() ?? 0
      // The values pass through a dozen stored numbers, each rounded by at most 2⁻⁸ of its size.
      #expect(difference > 0 && difference < 12 * 0x1p-8 * largest, "\(difference) of \(largest)")
    }
  }

  /// Emulated weights take four bytes each; a plan must not count two.
  @Test func aProfileTellsWhatWeightsTake() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let outcome = try run(
        [
          "cluster", "profile", "--lora-rank", "4", "--seconds", "0.001", "--ranks", "1", "--model",
          Self.model, "--precision", "bfloat16", "--out", "lab.yaml",
        ], in: folder)
      #expect(outcome.status == 0 && notes(outcome) == 1, "\(outcome)")
      let cluster = try Cluster(contentsOf: folder.appendingPathComponent("lab.yaml").path)
      guard case .measured(let times)? = cluster.devices.first?.speed else {
        Issue.record("nothing was measured")
        return
      }
      #expect(times.valueBytes == 4)
      #expect(times.measured?.settings?.hasPrefix("bfloat16 emulated, ") ?? false)
    }
  }
}
