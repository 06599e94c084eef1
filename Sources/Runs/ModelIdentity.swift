import Checkpoint
import Foundation
import SafeFiles

/// Identifies a model quickly, by its configuration, all norm weights and some rows of every other weight.
package enum ModelIdentity {
  /// The current version; runs record the one with which they began.
  static let version = 3
  /// The most rows of the token embedding, and of a separate head, that are read.
  private static let embeddingRows = 256

  /// The SHA-256 of those, in lower-case hexadecimal.
  ///
  /// - Parameter version: 1 reads a row of a few weights, 2 a row of every weight, as the first runs did.
  /// - Throws: the source's error for a missing or damaged tensor.
  package static func of(_ weights: any WeightSource, version: Int = version) throws -> String {
    let configuration = weights.configuration
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var data = try encoder.encode(configuration)
    func append(_ name: WeightName) throws {
      let shape = try weights.shape(of: name)
      var values = [Float](repeating: 0, count: shape[shape.count - 1])
      for row in rows(of: name, shape, version) {
        try values.withUnsafeMutableBufferPointer {
          if let base = $0.baseAddress { try weights.readFloat32(name, rows: row..<row + 1, into: base) }
        }
        values.withUnsafeBytes { data.append(contentsOf: $0) }
      }
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

  /// The rows of a weight that are read. Training often changes only some rows of an embedding, so many of its
  /// rows are; of the others, the first and the last one.
  private static func rows(of name: WeightName, _ shape: [Int], _ version: Int) -> [Int] {
    guard shape.count > 1 else { return [0] }
    let isEmbedding = name == .tokenEmbedding || name == .head
    // The first rows of an embedding are those of control tokens.
    guard version > 2 else { return [isEmbedding ? shape[0] / 2 : 0] }
    let (last, count) = (shape[0] - 1, min(shape[0], isEmbedding ? embeddingRows : 2))
    return count < 2 ? [0] : (0..<count).map { $0 * last / (count - 1) }
  }
}

/// Identifies what turns a task into tokens: the tokenizer and the chat template of a model.
package struct PromptIdentity: Codable, Sendable, Equatable {
  /// The SHA-256 of the tokenizer's data and of the tokens that begin and end texts.
  package var tokenizer: String
  /// The SHA-256 of the chat template.
  package var template: String

  package init(_ files: ModelFiles) throws {
    var tokenizer = Checksum()
    switch files.tokenizer {
    case .json(let data)?: data.withUnsafeBytes { tokenizer.add($0) }
    case .gguf(let metadata)?: tokenizer.add(try metadata.canonicalText())
    case nil: break
    }
    for token in [files.bosToken, files.eosToken] { tokenizer.add(token ?? "") }
    self.tokenizer = tokenizer.text
    template = FileChecksum.sha256(of: Data((files.chatTemplate ?? "").utf8))
  }

  /// What differs from the files with which a run was trained; `nil` if nothing does.
  func difference(from recorded: PromptIdentity?) -> String? {
    guard let recorded, recorded != self else { return nil }
    let parts = [
      recorded.tokenizer == tokenizer ? nil : "tokenizer",
      recorded.template == template ? nil : "chat template",
    ].compactMap(\.self)
    return "another " + parts.joined(separator: " and another ")
  }
}
