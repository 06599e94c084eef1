import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import ReferenceReplay
import TestSupport
import Testing

/// Trainings replayed number by number against the PyTorch reference (see the manifest beside the fixtures).
struct ReferenceReplayTests {
  private struct Manifest: Decodable {
    struct Case: Decodable {
      struct Unstable: Decodable {
        let tensor: String
        let index: Int
      }
      let model: String
      let unstable: [Unstable]?
    }
    let cases: [String: Case]
  }

  private static let manifest: Manifest? = try? JSONDecoder().decode(
    Manifest.self, from: Data(contentsOf: Fixtures.url("training/manifest.json")))

  static let cases: [String] = (manifest?.cases.keys.sorted()) ?? []

  @Test("there are chains and diamonds, every δ and both rules")
  func covered() { #expect(Self.cases.count >= 10) }

  @Test("losses within 1e-4 relative, parameters within 1e-4", arguments: cases)
  func replay(name: String) throws {
    let entry = try #require(Self.manifest?.cases[name])
    let folder = Fixtures.url("training/cases/\(name)")
    let replay = try ReferenceReplay(
      specification: folder.appendingPathComponent("spec.json"),
      initial: folder.appendingPathComponent("initial.safetensors"),
      model: ModelFiles.open(Fixtures.url("training/models/\(entry.model)").path).weights)
    let outcome = try replay.run()

    let losses = try JSONDecoder().decode(
      [ReferenceReplay.Loss].self, from: Data(contentsOf: folder.appendingPathComponent("losses.json")))
    #expect(outcome.losses.count == losses.count)
    for (ours, theirs) in zip(outcome.losses, losses) {
      #expect(ours.task == theirs.task && ours.step == theirs.step && ours.round == theirs.round)
      #expect(abs(ours.loss - theirs.loss) <= 1e-4 * abs(theirs.loss), "\(theirs.task) step \(theirs.step)")
      #expect(abs(ours.gradNorm - theirs.gradNorm) <= 1e-3 * theirs.gradNorm + 1e-6)
    }

    // Where a gradient is nearly zero, Adam's first steps turn rounding into whole steps: the manifest lists
    // the elements on which the reference's own float32 and float64 runs disagree.
    let unstable = Dictionary(grouping: entry.unstable ?? [], by: \.tensor).mapValues { Set($0.map(\.index)) }
    let expected = try SafetensorsFile(folder.appendingPathComponent("final.safetensors"))
    for tensor in AdapterTensors.tensors(outcome.adapter) {
      guard case .float32(let values) = tensor.elements else { continue }
      let reference = try expected.float32(tensor.name)
      #expect(values.count == reference.count)
      let worst =
        values.indices.filter { !(unstable[tensor.name]?.contains($0) ?? false) }
        .map { abs(values[$0] - reference[$0]) }.max() ?? 0
      #expect(worst <= 1e-4, "\(tensor.name): \(worst)")
    }

    let logits = try JSONDecoder().decode(
      [String: [Float]].self, from: Data(contentsOf: folder.appendingPathComponent("logits.json")))
    for (task, reference) in logits {
      let ours = try #require(outcome.logits[task])
      let worst = zip(ours, reference).map { abs($0 - $1) }.max() ?? .infinity
      #expect(worst <= 2e-3, "logits of \(task): \(worst)")
    }
  }
}
