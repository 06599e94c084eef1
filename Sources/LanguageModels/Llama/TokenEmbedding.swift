import Checkpoint
import Tensor

/// The token embedding, `[vocabulary, hidden]`. It is not copied: its rows are read from the mapped file.
struct TokenEmbedding: Sendable {
  let source: any WeightSource

  /// Sets h `[rows, hidden]` float32 to the embeddings of `tokens`; rows beyond them become zero.
  ///
  /// - Throws: the source's error for a damaged file.
  func forward(_ tokens: [Int32], into h: Matrix, _ operations: any TensorOperations) throws {
    let row = UnsafeMutablePointer<Float>.allocate(capacity: source.configuration.hiddenSize)
    defer { row.deallocate() }
    for (index, token) in tokens.enumerated() {
      precondition(
        token >= 0 && token < source.configuration.vocabularySize, "token \(token) is outside the vocabulary")
      try source.readFloat32(.tokenEmbedding, rows: Int(token)..<Int(token) + 1, into: row)
      operations.write(row, scale: 1, into: h.rows(index..<index + 1))
    }
    operations.zero(h.rows(tokens.count..<h.rows))
  }
}
