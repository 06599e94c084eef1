import SafeFiles

/// Reads a Llama configuration from the `llama.*` keys of a GGUF file.
struct GGUFConfiguration {
  private let file: GGUFFile

  init(_ file: GGUFFile) { self.file = file }

  func read() throws -> LlamaConfiguration {
    let architecture = try file.string("general.architecture") ?? "(none)"
    guard architecture == "llama" else {
      throw unsupported("general.architecture", "architecture \(architecture) is not supported, only llama")
    }
    if let type = try file.string("general.type"), type != "model" {
      throw unsupported("general.type", "the file has type \(type), not model")
    }
    try refuseVariants()
    let hidden = try required("llama.embedding_length")
    let heads = try required("llama.attention.head_count")
    let keyValueHeads = try uniform("llama.attention.head_count_kv") ?? heads
    guard heads > 0 else { throw unsupported("llama.attention.head_count", "is \(heads)") }
    let headDimension = try file.integer("llama.attention.key_length") ?? hidden / heads
    for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
      if let value = try file.integer(key), value != headDimension {
        throw unsupported(key, "\(value) differs from the head dimension \(headDimension)")
      }
    }
    guard let epsilon = try file.number("llama.attention.layer_norm_rms_epsilon") else {
      throw missing("llama.attention.layer_norm_rms_epsilon")
    }
    return LlamaConfiguration(
      vocabularySize: try vocabularySize(), hiddenSize: hidden,
      intermediateSize: try uniform("llama.feed_forward_length") ?? 0,
      layerCount: try required("llama.block_count"), headCount: heads, keyValueHeadCount: keyValueHeads,
      headDimension: headDimension, rmsNormEpsilon: Float(epsilon),
      ropeTheta: try file.number("llama.rope.freq_base") ?? 10_000, ropeScaling: try ropeScaling(),
      maximumPositions: try required("llama.context_length"),
      tiedEmbeddings: file.tensor("output.weight") == nil)
  }

  private func refuseVariants() throws {
    if let experts = try file.integer("llama.expert_count"), experts > 0 {
      throw unsupported("llama.expert_count", "mixtures of experts (\(experts)) are not supported")
    }
    if let bias = file.tensors.first(where: { $0.name.hasPrefix("blk.") && $0.name.hasSuffix(".bias") }) {
      throw unsupported(bias.name, "attention and MLP biases are not supported")
    }
  }

  private func vocabularySize() throws -> Int {
    if let size = try file.integer("llama.vocab_size") { return size }
    guard let embedding = file.tensor("token_embd.weight") else { throw missing("llama.vocab_size") }
    return embedding.rowCount
  }

  /// The rope scaling. A tensor of frequency divisors takes precedence over the keys, of which the types
  /// `none` and `linear` are supported.
  private func ropeScaling() throws -> RopeScaling? {
    if let tensor = file.tensor("rope_freqs.weight") {
      guard tensor.type == .f32, tensor.shape.count == 1, tensor.count <= LlamaConfiguration.largestDimension
      else { throw unsupported(tensor.name, "is \(tensor.type) of shape \(tensor.shape), not an F32 vector") }
      return .divisors(
        try [Float](unsafeUninitializedCapacity: tensor.count) { buffer, count in
          if let base = buffer.baseAddress { try file.dequantize(tensor, rows: 0..<1, into: base) }
          count = tensor.count
        })
    }
    let factor = try file.number("llama.rope.scaling.factor") ?? file.number("llama.rope.scale_linear")
    switch try file.string("llama.rope.scaling.type") {
    case "none": return nil
    case nil, "linear":
      guard let factor, factor != 1, factor != 0 else { return nil }
      guard factor.isFinite, factor > 0 else {
        throw unsupported("llama.rope.scaling.factor", "\(factor) is not positive")
      }
      return .linear(factor: factor)
    case let type?: throw unsupported("llama.rope.scaling.type", "rope scaling \(type) is not supported")
    }
  }

  /// An integer, or an array of equal integers (some converters write one per layer).
  private func uniform(_ key: String) throws -> Int? {
    guard case .array? = file.metadata[key] else { return try file.integer(key) }
    let values = try file.integers(key)
    guard let first = values.first, values.allSatisfy({ $0 == first }) else {
      throw unsupported(key, "values that differ between layers are not supported")
    }
    return first
  }

  private func required(_ key: String) throws -> Int {
    guard let value = try file.integer(key) else { throw missing(key) }
    return value
  }

  private func missing(_ key: String) -> FileError {
    FileError(
      .missing, file: file.path, field: key, problem: "the metadata has no such key",
      remedy: "convert the model again with a current tool")
  }

  private func unsupported(_ field: String, _ problem: String) -> FileError {
    FileError(
      .unsupported, file: file.path, field: field, problem: problem,
      remedy: "use a model of the plain Llama architecture")
  }
}
