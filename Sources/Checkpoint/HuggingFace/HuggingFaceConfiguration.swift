import Foundation
import SafeFiles
import StrictJSON

/// Reads the Hugging Face `config.json` of a `LlamaForCausalLM`.
///
/// `rope_theta` is at the top level or, since transformers 5, in `rope_parameters`, which also replaces
/// `rope_scaling`.
struct HuggingFaceConfiguration {
  private let json: JSONValue
  private let path: String

  init(_ url: URL) throws {
    let file = try MappedFile(url)
    path = url.path
    json = try JSONParser.parse(file)
  }

  /// The configuration. `hasHead` is whether the folder contains `lm_head.weight`.
  func read(hasHead: Bool) throws -> LlamaConfiguration {
    try refuseVariants()
    let hidden = try required("hidden_size")
    let heads = try required("num_attention_heads")
    guard heads > 0 else { throw unsupported("num_attention_heads", "is \(heads)") }
    let isTied = try bool("tie_word_embeddings") ?? false
    return LlamaConfiguration(
      vocabularySize: try required("vocab_size"), hiddenSize: hidden,
      intermediateSize: try required("intermediate_size"), layerCount: try required("num_hidden_layers"),
      headCount: heads, keyValueHeadCount: try integer("num_key_value_heads") ?? heads,
      headDimension: try integer("head_dim") ?? hidden / heads,
      rmsNormEpsilon: Float(try number("rms_norm_eps") ?? 1e-6), ropeTheta: try ropeTheta(),
      ropeScaling: try ropeScaling(),
      maximumPositions: try integer("max_position_embeddings") ?? 2048, tiedEmbeddings: isTied || !hasHead)
  }

  private func refuseVariants() throws {
    let architectures = json["architectures"]?.array?.compactMap(\.string) ?? []
    let modelType = json["model_type"]?.string
    if let architecture = architectures.first {
      guard architecture == "LlamaForCausalLM" else {
        throw unsupported(
          "architectures", "architecture \(architecture) is not supported, only LlamaForCausalLM")
      }
    } else if modelType != "llama" {
      throw unsupported("model_type", "model type \(modelType ?? "(none)") is not supported, only llama")
    }
    for key in ["attention_bias", "mlp_bias"] where try bool(key) == true {
      throw unsupported(key, "models with biases are not supported")
    }
    if let activation = json["hidden_act"]?.string, activation != "silu" {
      throw unsupported("hidden_act", "activation \(activation) is not supported, only silu")
    }
    if let quantization = json["quantization_config"] {
      let method = quantization["quant_method"]?.string ?? "(unnamed)"
      throw unsupported("quantization_config", "quantisation \(method) is not supported")
    }
    if let factor = json["partial_rotary_factor"]?.number, factor != 1 {
      throw unsupported("partial_rotary_factor", "partial rotary embeddings (\(factor)) are not supported")
    }
  }

  private func ropeTheta() throws -> Double {
    if let theta = json["rope_parameters"]?["rope_theta"] {
      guard let number = theta.number else { throw wrongType("rope_parameters.rope_theta", "a number") }
      return number
    }
    return try number("rope_theta") ?? 10_000
  }

  private func ropeScaling() throws -> RopeScaling? {
    let field = json["rope_parameters"] != nil ? "rope_parameters" : "rope_scaling"
    guard let parameters = json[field] else { return nil }
    guard parameters.members != nil else { throw wrongType(field, "an object") }
    func positive(_ key: String) throws -> Double {
      guard let value = parameters[key]?.number, value > 0 else {
        throw wrongType("\(field).\(key)", "a positive number")
      }
      return value
    }
    let type = parameters["rope_type"]?.string ?? parameters["type"]?.string ?? "default"
    switch type {
    case "default": return nil
    case "linear": return .linear(factor: try positive("factor"))
    case "llama3":
      guard let original = parameters["original_max_position_embeddings"]?.integer, original > 0 else {
        throw wrongType("\(field).original_max_position_embeddings", "a positive integer")
      }
      let low = try positive("low_freq_factor")
      let high = try positive("high_freq_factor")
      guard low < high else { throw wrongType("\(field).high_freq_factor", "more than low_freq_factor") }
      return .llama3(
        factor: try positive("factor"), lowFrequencyFactor: low, highFrequencyFactor: high,
        originalMaximumPositions: original)
    default: throw unsupported("\(field).rope_type", "rope scaling \(type) is not supported")
    }
  }

  private func integer(_ key: String) throws -> Int? {
    guard let value = json[key] else { return nil }
    guard let integer = value.integer else { throw wrongType(key, "an integer") }
    return integer
  }

  private func number(_ key: String) throws -> Double? {
    guard let value = json[key] else { return nil }
    guard let number = value.number else { throw wrongType(key, "a number") }
    return number
  }

  private func bool(_ key: String) throws -> Bool? {
    guard let value = json[key] else { return nil }
    guard let bool = value.bool else { throw wrongType(key, "true or false") }
    return bool
  }

  private func required(_ key: String) throws -> Int {
    guard let value = try integer(key) else {
      throw FileError(
        .missing, file: path, field: key, problem: "the configuration has no such key",
        remedy: "fetch the model's config.json again")
    }
    return value
  }

  private func wrongType(_ field: String, _ expected: String) -> FileError {
    FileError(
      .malformed, file: path, field: field, problem: "is not \(expected)",
      remedy: "fetch the model's config.json again")
  }

  private func unsupported(_ field: String, _ problem: String) -> FileError {
    FileError(
      .unsupported, file: path, field: field, problem: problem,
      remedy: "use a model of the plain Llama architecture")
  }
}
