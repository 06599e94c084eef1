import SafeFiles

/// A weight of a Llama-family model, whatever a format calls it.
package enum WeightName: Hashable, Sendable {
  case tokenEmbedding
  case finalNorm
  case head
  case attentionNorm(layer: Int)
  case query(layer: Int)
  case key(layer: Int)
  case value(layer: Int)
  case attentionOutput(layer: Int)
  case feedForwardNorm(layer: Int)
  case gate(layer: Int)
  case up(layer: Int)
  case down(layer: Int)

  /// The nine weights of a layer.
  package static func weights(ofLayer layer: Int) -> [WeightName] {
    [
      .attentionNorm(layer: layer), .query(layer: layer), .key(layer: layer), .value(layer: layer),
      .attentionOutput(layer: layer), .feedForwardNorm(layer: layer), .gate(layer: layer), .up(layer: layer),
      .down(layer: layer),
    ]
  }

  /// The weights outside the layers; the head only where it is not the token embedding.
  package static func outerWeights(of configuration: LlamaConfiguration) -> [WeightName] {
    [.tokenEmbedding, .finalNorm] + (configuration.tiedEmbeddings ? [] : [.head])
  }

  /// The shape a model of this configuration must have: `[out, in]`, or one dimension for norms.
  package func shape(in configuration: LlamaConfiguration) -> [Int] {
    let hidden = configuration.hiddenSize
    switch self {
    case .tokenEmbedding, .head: return [configuration.vocabularySize, hidden]
    case .finalNorm, .attentionNorm, .feedForwardNorm: return [hidden]
    case .query: return [configuration.queryWidth, hidden]
    case .key, .value: return [configuration.keyValueWidth, hidden]
    case .attentionOutput: return [hidden, configuration.queryWidth]
    case .gate, .up: return [configuration.intermediateSize, hidden]
    case .down: return [hidden, configuration.intermediateSize]
    }
  }
}

/// Where a model's weights come from. All sources give the same layout: matrices `[out, in]` row-major,
/// query and key rows in Hugging Face's order (a head's first half of rows pairs with its second half).
package protocol WeightSource: Sendable {
  /// The file or folder, for messages.
  var path: String { get }
  /// The model's shape. Every weight has been checked against it.
  var configuration: LlamaConfiguration { get }
  /// Whether the source holds the weight; a tied head is not held.
  func has(_ name: WeightName) -> Bool
  /// The weight's shape: `[out, in]`, or `[n]` for a norm; throws `FileError` where it is missing.
  func shape(of name: WeightName) throws -> [Int]
  /// Writes rows as float32. A norm is one row, `0..<1`. `target` takes `rows.count` times the last
  /// dimension. Any number of threads may read at once. Throws `FileError` where the weight is
  /// missing; rows beyond it trap.
  func readFloat32(_ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<Float>) throws
  /// Writes rows as bfloat16, rounded to nearest even; otherwise as `readFloat32`.
  func readBFloat16(_ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<UInt16>) throws
  /// Lets the system have back the memory of what was read so far; a later read fetches it from the file again.
  func forgetPages()
}

extension WeightSource {
  /// The whole weight as float32, row-major.
  package func float32(_ name: WeightName) throws -> [Float] {
    let shape = try shape(of: name)
    let count = shape.reduce(1, *)
    return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress {
        try readFloat32(name, rows: 0..<shape.dropLast().reduce(1, *), into: base)
      }
      initialized = count
    }
  }

  /// Throws `FileError` where a weight is missing or its shape disagrees with the configuration.
  func validateShapes(named fileName: (WeightName) -> String) throws {
    func check(_ name: WeightName) throws {
      let expected = name.shape(in: configuration)
      let found = try shape(of: name)
      guard found == expected else {
        throw FileError(
          .shape, file: path, field: fileName(name),
          problem: "has shape \(found), but the configuration demands \(expected)",
          remedy: "the configuration and the weights are not of the same model: fetch both again")
      }
    }
    for name in WeightName.outerWeights(of: configuration) { try check(name) }
    for layer in 0..<configuration.layerCount {
      for name in WeightName.weights(ofLayer: layer) { try check(name) }
    }
  }
}
