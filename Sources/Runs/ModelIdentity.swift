import Checkpoint
import Foundation
import SafeFiles

/// Identifies a model quickly, by its configuration, all norm weights and a row of every other weight.
package enum ModelIdentity {
  /// The SHA-256 of those, in lower-case hexadecimal.
  ///
  /// - Parameter version: 1 reads fewer weights, as the first runs did.
  /// - Throws: the source's error for a missing or damaged tensor.
  package static func of(_ weights: any WeightSource, version: Int = 2) throws -> String {
    let configuration = weights.configuration
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var data = try encoder.encode(configuration)
    func append(_ name: WeightName) throws {
      let shape = try weights.shape(of: name)
      // The first rows of an embedding are those of control tokens.
      let row = name == .tokenEmbedding || name == .head ? shape[0] / 2 : 0
      var values = [Float](repeating: 0, count: shape[shape.count - 1])
      try values.withUnsafeMutableBufferPointer {
        if let base = $0.baseAddress { try weights.readFloat32(name, rows: row..<row + 1, into: base) }
      }
      values.withUnsafeBytes { data.append(contentsOf: $0) }
    }
    try append(.finalNorm)
    for layer in 0..<configuration.layerCount {
      for name in version == 1
        ? [
          .attentionNorm(layer: layer), .feedForwardNorm(layer: layer), .query(layer: layer),
          .down(layer: layer),
        ]
        : WeightName.weights(ofLayer: layer)
      { try append(name) }
    }
    if version > 1 {
      for name in WeightName.outerWeights(of: configuration) where name != .finalNorm { try append(name) }
    }
    return FileChecksum.sha256(of: data)
  }
}
