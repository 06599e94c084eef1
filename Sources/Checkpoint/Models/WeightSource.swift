import SafeFiles

/// A weight of a Llama-family model, independent of the file format's name for it.
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

  /// The weights outside the layers. The head is included only if it is not tied to the token embedding.
  package static func outerWeights(of configuration: LlamaConfiguration) -> [WeightName] {
    [.tokenEmbedding, .finalNorm] + (configuration.tiedEmbeddings ? [] : [.head])
  }

  /// The shape of the weight in a model with this configuration: `[out, in]`, or one dimension for norms.
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

/// A source of a model's weights. All sources give the same layout: row-major matrices `[out, in]`, with
/// query and key rows in Hugging Face's order (the first half of a head's rows pairs with the second half).
package protocol WeightSource: Sendable {
  /// The file or folder, for messages.
  var path: String { get }
  /// The model's shape. Every weight has been checked against it.
  var configuration: LlamaConfiguration { get }
  /// Whether the source contains the weight; `false` for a tied head.
  func has(_ name: WeightName) -> Bool
  /// The weight's shape: `[out, in]`, or `[n]` for a norm.
  ///
  /// - Throws: `FileError` if the weight is missing.
  func shape(of name: WeightName) throws -> [Int]
  /// Reads rows as float32. A norm is one row, `0..<1`. `target` receives `rows.count` times the last
  /// dimension. May be called by several threads at once.
  ///
  /// - Throws: `FileError` if the weight is missing.
  /// - Precondition: `rows` is within the weight.
  func readFloat32(_ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<Float>) throws
  /// Reads rows as bfloat16, rounded to nearest even; otherwise the same as `readFloat32`.
  func readBFloat16(_ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<UInt16>) throws
  /// Lets the system reclaim the memory of the pages read so far. Later reads load them from the file again.
  func forgetPages()
  /// Checks that no file has been written to since it was opened.
  ///
  /// - Throws: `FileError` with the file if one has.
  func checkUnchanged() throws(FileError)
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

  /// Checks that all weights exist and have the shapes that the configuration requires.
  ///
  /// - Throws: `FileError` if a weight is missing or has the wrong shape.
  func validateShapes(named fileName: (WeightName) -> String) throws {
    func check(_ name: WeightName) throws {
      let expected = name.shape(in: configuration)
      let found = try shape(of: name)
      guard found == expected else {
        throw FileError(
          .shape, file: path, field: fileName(name),
          problem: "has shape \(found), but the configuration expects \(expected)",
          remedy: "the configuration and the weights belong to different models: fetch both again")
      }
    }
    for name in WeightName.outerWeights(of: configuration) { try check(name) }
    for layer in 0..<configuration.layerCount {
      for name in WeightName.weights(ofLayer: layer) { try check(name) }
    }
  }
}
