import ArgumentParser
import Checkpoint
import ContextLoRA
import Foundation
import ReferenceReplay
import SafeFiles

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train phase by phase on given token ids and write what the reference implementation writes.",
    discussion: """
      SPEC.json names the rank, alpha, frozenRatio, the tasks with their parents and batches of token ids and \
      labels. OUT receives initial.safetensors, final.safetensors, losses.json and logits.json.

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
    let folder = try makeFolder()
    try SafetensorsWriter.write(
      AdapterTensors.tensors(replay.initialAdapter),
      to: folder.appendingPathComponent("initial.safetensors"))
    let result = try replay.run()
    try SafetensorsWriter.write(
      AdapterTensors.tensors(result.adapter), to: folder.appendingPathComponent("final.safetensors"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write(
      try encoder.encode(result.losses), to: folder.appendingPathComponent("losses.json"))
    try AtomicFile.write(
      try JSONEncoder().encode(result.logits), to: folder.appendingPathComponent("logits.json"))
  }

  private func makeFolder() throws -> URL {
    let folder = URL(fileURLWithPath: out)
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .inputOutput, file: out, problem: "cannot be created as a folder",
        remedy: "give --out a folder, or a new name where one can be created")
    }
    return folder
  }
}
