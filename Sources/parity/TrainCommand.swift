import ArgumentParser
import Checkpoint
import ContextLoRA
import Foundation

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train phase by phase on given token ids and write what the reference implementation writes.",
    discussion: """
      SPEC.json names the rank, alpha, frozenRatio, the tasks with their parents and batches of token ids and \
      labels. OUT receives final.safetensors, losses.json and logits.json.

      Example: parity train --model tiny --spec spec.json --initial initial.safetensors --out out
      """)

  @Option(help: "A Hugging Face folder or a GGUF file.") var model: String
  @Option(help: "The specification, JSON.") var spec: String
  @Option(help: "A and B of every adapted layer before training, safetensors.") var initial: String
  @Option(help: "The folder to write.") var out: String

  func run() throws {
    let replay = try ReferenceReplay(
      specification: URL(fileURLWithPath: spec), initial: URL(fileURLWithPath: initial),
      model: ModelFiles.open(model).weights)
    let result = try replay.run()
    let folder = URL(fileURLWithPath: out)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try SafetensorsWriter.write(
      AdapterTensors.tensors(result.adapter), to: folder.appendingPathComponent("final.safetensors"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write(
      try encoder.encode(result.losses), to: folder.appendingPathComponent("losses.json"))
    try AtomicFile.write(
      try JSONEncoder().encode(result.logits), to: folder.appendingPathComponent("logits.json"))
  }
}
