import Foundation
import SafeFiles

/// A LoRA adapter as a GGUF file that llama.cpp loads (`--lora`).
///
/// | here | GGUF |
/// |---|---|
/// | file type | `general.type = "adapter"`, `general.architecture = "llama"`, `adapter.type = "lora"` |
/// | alpha | `adapter.lora.alpha`, float32; the scale is `alpha / r`, with r from the tensors |
/// | module path `model.layers.0.self_attn.q_proj` | `blk.0.attn_q.weight.lora_a`, `.lora_b` |
/// | A `[r, in]` | `lora_a` `[r, in]` (the file lists the dimensions as in, r) |
/// | B `[out, r]` | `lora_b` `[out, r]` |
/// | query and key rows in half-split order | B's rows in interleaved order, as in the base model's file |
package struct GGUFAdapter: Sendable {
  /// The number format of the matrices.
  package enum Precision: Sendable, Equatable {
    case float32, float16
  }

  /// The adapted layers. Their paths must be those of a Llama model's linear layers.
  package var modules: [AdapterModule]
  /// Alpha, so that the scale is `alpha / rank` (for rank-stabilised scaling, pass `scale · rank`).
  package var alpha: Float
  /// The adapter's name, for `general.name`.
  package var name: String
  /// The base model's shape, which determines the order of rows.
  package var configuration: LlamaConfiguration

  package init(modules: [AdapterModule], alpha: Float, name: String, configuration: LlamaConfiguration) {
    self.modules = modules
    self.alpha = alpha
    self.name = name
    self.configuration = configuration
  }

  /// Writes the file atomically.
  ///
  /// - Throws: `FileError` if a path is not a linear layer of a Llama model, a module's widths differ from
  ///   the layer's, or the system reports an error.
  package func write(to url: URL, precision: Precision = .float32) throws {
    let metadata: [(String, GGUFWriter.Value)] = [
      ("general.architecture", .string("llama")), ("general.type", .string("adapter")),
      ("general.name", .string(name)), ("adapter.type", .string("lora")),
      ("adapter.lora.alpha", .float32(alpha)),
    ]
    let tensors = try modules.flatMap { try self.tensors(of: $0, precision: precision, file: url.path) }
    try GGUFWriter.write(metadata: metadata, tensors: tensors, to: url)
  }

  private func tensors(
    of module: AdapterModule, precision: Precision, file: String
  ) throws -> [GGUFWriter.Tensor] {
    guard let name = WeightName(huggingFaceModule: module.path),
      name.shape(in: configuration) == [module.outputs, module.inputs]
    else {
      throw FileError(
        .unsupported, file: file, field: module.path,
        problem:
          "is not a linear layer of this model with \(module.outputs) outputs and \(module.inputs) inputs",
        remedy: "export the adapter with the base model it was trained on")
    }
    var b = module.b
    switch name {
    case .query, .key:
      b = RotaryOrder.interleaved(b, width: module.rank, headDimension: configuration.headDimension)
    default: break
    }
    return [
      tensor("\(name.ggufTensor).lora_a", [module.rank, module.inputs], module.a, precision),
      tensor("\(name.ggufTensor).lora_b", [module.outputs, module.rank], b, precision),
    ]
  }

  private func tensor(
    _ name: String, _ shape: [Int], _ values: [Float], _ precision: Precision
  ) -> GGUFWriter.Tensor {
    switch precision {
    case .float32: return GGUFWriter.Tensor(name: name, shape: shape, float32: values)
    case .float16: return GGUFWriter.Tensor(name: name, shape: shape, float16: values)
    }
  }
}
