/// Splits text into words, which merges never cross. The stages run one after another, each on every piece
/// from the previous stage.
package struct PreTokenizer: Sendable, Equatable {
  /// One stage.
  package enum Stage: Sendable, Equatable {
    /// Splits at numbers (`\p{N}`); each digit, or each run of digits, becomes a piece.
    case digits(individual: Bool)
    /// Splits into the words of a pattern.
    case pattern(SplitPattern)
    /// Inserts a space before a piece that does not start with one.
    case prefixSpace
  }

  package var stages: [Stage]

  package init(stages: [Stage]) {
    self.stages = stages
  }

  /// The words of `text`.
  package func split(_ text: String) -> [String] {
    var words: [String] = []
    withUTF8(text) { utf8 in
      forEachWord(in: utf8) { words.append(String(decoding: $0, as: UTF8.self)) }
    }
    return words
  }

  /// Calls `body` with each word of valid UTF-8 text, in order.
  @inline(__always)
  func forEachWord(in text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    guard !text.isEmpty else { return }
    apply(0, to: text, body)
  }

  private func apply(
    _ index: Int, to piece: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void
  ) {
    guard index < stages.count else { return body(piece) }
    let reader = ScalarReader(bytes: piece)
    var start = 0
    switch stages[index] {
    case .pattern(let pattern):
      while start < piece.count {
        let end = pattern.endOfWord(in: reader, from: start)
        apply(index + 1, to: UnsafeBufferPointer(rebasing: piece[start..<end]), body)
        start = end
      }
    case .digits(let individual):
      while let first = reader.classified(at: start) {
        var end = start + first.length
        while let next = reader.classified(at: end), (next.kind == .number) == (first.kind == .number) {
          if individual, first.kind == .number { break }
          end += next.length
        }
        apply(index + 1, to: UnsafeBufferPointer(rebasing: piece[start..<end]), body)
        start = end
      }
    case .prefixSpace:
      guard piece[0] != UInt8(ascii: " ") else { return apply(index + 1, to: piece, body) }
      ([UInt8(ascii: " ")] + piece).withUnsafeBufferPointer { apply(index + 1, to: $0, body) }
    }
  }
}
