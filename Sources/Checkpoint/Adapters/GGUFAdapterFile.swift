import Foundation
import SafeFiles

/// A LoRA adapter read from a GGUF file as llama.cpp reads it. The table of ``GGUFAdapter`` is the format.
package struct GGUFAdapterFile: ExportedAdapter {
  package let modules: [AdapterModule]
  package let rank: Int
  package let scale: Double

  /// Reads a file.
  ///
  /// - Parameter configuration: the base model's sizes.
  /// - Throws: `FileError` naming the file and the field that is missing, damaged, or not part of a LoRA adapter of one
  ///   rank for this model.
  package init(_ url: URL, configuration: LlamaConfiguration) throws {
    let file = try GGUFFile(url)
    func refuse(_ field: String, _ problem: String) -> FileError {
      FileError(
        .malformed, file: file.path, field: field, problem: problem,
        remedy: "give a LoRA adapter of one rank for this model, or export it again")
    }
    for (key, value) in [
      ("general.type", "adapter"), ("general.architecture", "llama"), ("adapter.type", "lora"),
    ] where try file.string(key) != value { throw refuse(key, "is not '\(value)'") }
    guard let alpha = try file.number("adapter.lora.alpha"), alpha.isFinite else {
      throw refuse("adapter.lora.alpha", "is not a number")
    }
    var modules: [AdapterModule] = []
    for name in (0..<configuration.layerCount).flatMap(WeightName.weights(ofLayer:)) {
      guard let a = file.tensor(name.ggufTensor + ".lora_a"), let b = file.tensor(name.ggufTensor + ".lora_b")
      else { continue }
      let shape = name.shape(in: configuration)
      guard shape.count == 2, a.shape.count == 2, a.shape[0] > 0, a.shape[1] == shape[1],
        b.shape == [shape[0], a.shape[0]]
      else { throw refuse(a.name, "does not have the shape of A for this model, or its B does not") }
      var values = try Self.values(file, b)
      if case .query = name { values = Self.halfSplit(values, rank: a.shape[0], configuration) }
      if case .key = name { values = Self.halfSplit(values, rank: a.shape[0], configuration) }
      modules.append(
        AdapterModule(
          path: name.huggingFaceModule, rank: a.shape[0], inputs: shape[1], outputs: shape[0],
          a: try Self.values(file, a), b: values))
    }
    guard let rank = modules.first?.rank, modules.allSatisfy({ $0.rank == rank }),
      file.tensors.count == 2 * modules.count
    else { throw refuse("tensors", "are not A and B of linear layers of this model, all of one rank") }
    (self.modules, self.rank) = (modules, rank)
    // llama.cpp divides in float32.
    scale = Double(Float(alpha) / Float(rank))
  }

  /// llama.cpp adapts what the file has matrices for.
  package func adapts(_ path: String) -> Bool { modules.contains { $0.path == path } }

  private static func values(_ file: GGUFFile, _ tensor: GGUFTensor) throws -> [Float] {
    var values = [Float](repeating: 0, count: tensor.count)
    try values.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      try file.dequantize(tensor, rows: 0..<tensor.rowCount, into: start)
    }
    return values
  }

  /// The rows of B in the order of the Hugging Face model.
  private static func halfSplit(
    _ values: [Float], rank: Int, _ configuration: LlamaConfiguration
  ) -> [Float] {
    (0..<values.count / rank).flatMap { row in
      let stored = RotaryOrder.interleavedRow(ofHalfSplit: row, headDimension: configuration.headDimension)
      return values[stored * rank..<(stored + 1) * rank]
    }
  }
}
