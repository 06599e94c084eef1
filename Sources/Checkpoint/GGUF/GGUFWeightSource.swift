import Foundation
import SafeFiles

/// The weights of a `llama` GGUF file.
///
/// | weight | tensor | | weight | tensor |
/// |---|---|---|---|---|
/// | tokenEmbedding | token_embd.weight | | finalNorm | output_norm.weight |
/// | head | output.weight (absent: tied) | | attentionNorm | blk.N.attn_norm.weight |
/// | query, key, value | blk.N.attn_q, _k, _v.weight | | attentionOutput | blk.N.attn_output.weight |
/// | feedForwardNorm | blk.N.ffn_norm.weight | | gate, up, down | blk.N.ffn_gate, _up, _down.weight |
///
/// Query and key rows are stored in interleaved order and are converted to half-split order here
/// (`RotaryOrder`).
package final class GGUFWeightSource: WeightSource {
  package let file: GGUFFile
  package let configuration: LlamaConfiguration

  /// Reads the configuration and checks every weight's presence, shape and quantisation.
  ///
  /// - Throws: `FileError` for another architecture, biases, experts, a missing tensor, a wrong shape or a
  ///   quantisation that is not supported.
  package init(_ file: GGUFFile) throws {
    self.file = file
    configuration = try GGUFConfiguration(file).read()
    try configuration.validate(file: file.path)
    try validateShapes(named: \.ggufTensor)
    for layer in 0..<configuration.layerCount {
      for name in WeightName.weights(ofLayer: layer) { try file.checkReadable(tensor(name)) }
    }
    for name in WeightName.outerWeights(of: configuration) { try file.checkReadable(tensor(name)) }
  }

  package var path: String { file.path }

  package func has(_ name: WeightName) -> Bool { file.tensor(name.ggufTensor) != nil }

  package func shape(of name: WeightName) throws -> [Int] { try tensor(name).shape }

  /// Lets the system reclaim the memory of the pages read so far.
  package func forgetPages() { file.file.forgetPages() }

  /// Checks that the file has not been written to since it was opened.
  package func checkUnchanged() throws(FileError) { try file.checkUnchanged() }

  /// Reads rows as float32.
  package func readFloat32(
    _ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) throws {
    let tensor = try tensor(name)
    try forEachStored(name, rows) { stored, index in
      try file.dequantize(tensor, rows: stored, into: target + index * tensor.rowLength)
    }
  }

  /// Reads rows as bfloat16.
  package func readBFloat16(
    _ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<UInt16>
  ) throws {
    let tensor = try tensor(name)
    try forEachStored(name, rows) { stored, index in
      try file.dequantize(tensor, rows: stored, intoBFloat16: target + index * tensor.rowLength)
    }
  }

  /// Calls `body` with runs of stored rows and the index of each run's first row within `rows`.
  private func forEachStored(
    _ name: WeightName, _ rows: Range<Int>, _ body: (Range<Int>, Int) throws -> Void
  ) throws {
    switch name {
    case .query, .key:
      for row in rows {
        let stored = RotaryOrder.interleavedRow(ofHalfSplit: row, headDimension: configuration.headDimension)
        try body(stored..<stored + 1, row - rows.lowerBound)
      }
    default: try body(rows, 0)
    }
  }

  private func tensor(_ name: WeightName) throws -> GGUFTensor {
    guard let tensor = file.tensor(name.ggufTensor) else {
      throw FileError(
        .missing, file: path, field: name.ggufTensor, problem: "the file has no such tensor",
        remedy: "the model is incomplete: fetch or convert it again")
    }
    return tensor
  }
}

extension WeightName {
  /// The name of the weight's tensor in a GGUF file.
  package var ggufTensor: String {
    switch self {
    case .tokenEmbedding: return "token_embd.weight"
    case .finalNorm: return "output_norm.weight"
    case .head: return "output.weight"
    case .attentionNorm(let layer): return "blk.\(layer).attn_norm.weight"
    case .query(let layer): return "blk.\(layer).attn_q.weight"
    case .key(let layer): return "blk.\(layer).attn_k.weight"
    case .value(let layer): return "blk.\(layer).attn_v.weight"
    case .attentionOutput(let layer): return "blk.\(layer).attn_output.weight"
    case .feedForwardNorm(let layer): return "blk.\(layer).ffn_norm.weight"
    case .gate(let layer): return "blk.\(layer).ffn_gate.weight"
    case .up(let layer): return "blk.\(layer).ffn_up.weight"
    case .down(let layer): return "blk.\(layer).ffn_down.weight"
    }
  }
}
