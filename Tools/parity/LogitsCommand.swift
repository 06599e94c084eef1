import ArgumentParser
import Checkpoint
import Foundation
import LanguageModels
import Tensor

struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits", abstract: "Print the logits after the last token as a JSON array.",
    discussion: "Example: parity logits --model models/smollm2-135m --tokens 1,2,3")

  @Option(help: "A GGUF file or a Hugging Face folder.") var model: String
  @Option(help: "Token ids, separated by commas.") var tokens: String
  @Option(help: "float32 or bfloat16.") var precision: ElementType = .float32

  func run() throws {
    let ids = try tokens.split(separator: ",").map { text -> Int32 in
      guard let id = Int32(text.trimmingCharacters(in: .whitespaces)), id >= 0 else {
        throw ValidationError("--tokens: '\(text)' is not a token id; give numbers separated by commas")
      }
      return id
    }
    let weights = try ModelFiles.open(model).weights
    let configuration = weights.configuration
    guard let last = ids.last, ids.allSatisfy({ $0 < configuration.vocabularySize }),
      last >= 0, ids.count <= configuration.maximumPositions
    else {
      throw ValidationError(
        "--tokens: give 1 to \(configuration.maximumPositions) ids below \(configuration.vocabularySize)")
    }
    precision.noteEmulation()
    let llama = try LlamaModel(
      weights, device: CPUDevice(computeType: precision), contextLength: ids.count, use: .forward)
    let logits = try llama.allLogits(ids).last ?? []
    print(String(decoding: try JSONEncoder().encode(logits), as: UTF8.self))
  }
}

extension ElementType: ExpressibleByArgument {}

extension ElementType {
  /// Writes a note to standard error if this processor emulates the format.
  func noteEmulation() {
    guard let note = CPUDevice.emulationNote(self) else { return }
    FileHandle.standardError.write(Data("note: \(note)\n".utf8))
  }
}
