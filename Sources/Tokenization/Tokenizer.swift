import Foundation

/// A byte-level byte-pair-encoding tokenizer, as used by GPT-2, Llama 3, Qwen2 and SmolLM2.
///
/// Text is processed as Unicode scalars and UTF-8 bytes, never as `Character`s. Encoding has these steps:
/// added tokens are cut out; the rest is normalised and split into words by the model's pre-tokeniser; the
/// bytes of each word are merged pair by pair (Sennrich et al., arXiv 1508.07909, on bytes as in GPT-2).
/// Letters, numbers and spaces follow the Unicode version of the Swift runtime.
///
/// A value may be used by several threads at once.
package struct Tokenizer: Sendable {
  let vocabulary: Vocabulary
  let merges: MergeTable
  let byteTokens: [Int32]
  let model: ModelOptions
  let addedTokens: AddedTokens
  private let cache = SharedWordCache()

  /// The size of the vocabulary: every token id is below it. Some ids may be unused.
  package var vocabularySize: Int { vocabulary.count }
  /// The token that begins a sequence, if the model has one.
  package let beginningOfSequence: Int32?
  /// The token that ends a sequence or a turn, if the model has one.
  package let endOfSequence: Int32?
  /// The token that pads batches, if the model has one.
  package let padding: Int32?
  /// The tokens that the model's own tokenizer adds before a text by default: often none, or the
  /// beginning-of-sequence token. Chat templates write that token themselves.
  package let prefix: [Int32]
  /// The tokens that the model's own tokenizer adds after a text by default.
  package let suffix: [Int32]

  /// Encodes `text` as tokens.
  ///
  /// - Parameters:
  ///   - text: any text; an empty text has no tokens.
  ///   - parseSpecial: whether the spelling of a control token in the text (`<|im_end|>`) becomes that token.
  ///     Pass `false` for untrusted text. Added tokens that are not control tokens are always found.
  ///   - addSpecial: whether to add `prefix` before and `suffix` after.
  package func encode(_ text: String, parseSpecial: Bool = true, addSpecial: Bool = false) -> [Int32] {
    var output: [Int32] = addSpecial ? prefix : []
    cache.withCache { cache in
      merges.withView { merges in
        withUTF8(text) { utf8 in
          addedTokens.raw.forEachPiece(in: utf8, parseSpecial: parseSpecial) { piece in
            switch piece {
            case .token(let id): output.append(id)
            case .text(let range):
              encodeNormalizing(
                UnsafeBufferPointer(rebasing: utf8[range]), parseSpecial, merges, &cache, &output)
            }
          }
        }
      }
    }
    return addSpecial ? output + suffix : output
  }

  /// Whether `text` has the spelling of a control token.
  package func containsSpecial(_ text: String) -> Bool {
    guard addedTokens.normalized.isEmpty else { return encode(text).contains(where: isSpecial) }
    var isFound = false
    withUTF8(text) { utf8 in
      addedTokens.raw.forEachPiece(in: utf8, parseSpecial: true) { piece in
        if case .token(let id) = piece, isSpecial(id) { isFound = true }
      }
    }
    return isFound
  }

  /// Decodes tokens to text. Invalid UTF-8 becomes U+FFFD; unused ids are omitted.
  ///
  /// - Parameter skipSpecial: whether to omit control tokens.
  package func decode(_ ids: some Sequence<Int32>, skipSpecial: Bool) -> String {
    var bytes: [UInt8] = []
    for id in ids { append(id, skipSpecial: skipSpecial, to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The id of a token with this spelling in the model's file: `<|im_end|>`, or `Ġthe` in the byte-level
  /// alphabet.
  package func id(of token: String) -> Int32? {
    if let id = addedTokens.ids[ExactString(token)] { return id }
    var bytes: [UInt8] = []
    guard withUTF8(token, { ByteAlphabet.decode($0, into: &bytes) }) else { return nil }
    return bytes.withUnsafeBufferPointer(vocabulary.id(of:))
  }

  /// The spelling of a token in the model's file; `nil` for an unused id.
  package func token(of id: Int32) -> String? {
    guard id >= 0, id < vocabularySize else { return nil }
    if let content = addedTokens.contents[id] { return content }
    let bytes = vocabulary.bytes(of: Int(id))
    return bytes.isEmpty ? nil : ByteAlphabet.spell(bytes)
  }

  /// Whether a token is a control token.
  package func isSpecial(_ id: Int32) -> Bool { addedTokens.special.contains(id) }

  /// Appends a token's bytes.
  func append(_ id: Int32, skipSpecial: Bool, to bytes: inout [UInt8]) {
    guard id >= 0, id < vocabularySize else { return }
    if let content = addedTokens.contents[id] {
      if !(skipSpecial && isSpecial(id)) { bytes.append(contentsOf: content.utf8) }
    } else {
      bytes.append(contentsOf: vocabulary.bytes(of: Int(id)))
    }
  }

  private func encodeNormalizing(
    _ piece: UnsafeBufferPointer<UInt8>, _ parseSpecial: Bool, _ merges: MergeTable.View,
    _ cache: inout WordCache, _ output: inout [Int32]
  ) {
    if model.composes, piece.contains(where: { $0 >= 0x80 }) {
      var text = String(decoding: piece, as: UTF8.self).precomposedStringWithCanonicalMapping
      text.withUTF8 { encodeWithNormalizedTokens($0, parseSpecial, merges, &cache, &output) }
    } else {
      encodeWithNormalizedTokens(piece, parseSpecial, merges, &cache, &output)
    }
  }

  private func encodeWithNormalizedTokens(
    _ text: UnsafeBufferPointer<UInt8>, _ parseSpecial: Bool, _ merges: MergeTable.View,
    _ cache: inout WordCache, _ output: inout [Int32]
  ) {
    guard !addedTokens.normalized.isEmpty else { return encodeWords(text, merges, &cache, &output) }
    addedTokens.normalized.forEachPiece(in: text, parseSpecial: parseSpecial) { piece in
      switch piece {
      case .token(let id): output.append(id)
      case .text(let range):
        encodeWords(UnsafeBufferPointer(rebasing: text[range]), merges, &cache, &output)
      }
    }
  }

  private func encodeWords(
    _ text: UnsafeBufferPointer<UInt8>, _ merges: MergeTable.View, _ cache: inout WordCache,
    _ output: inout [Int32]
  ) {
    let encoder = WordEncoder(
      vocabulary: model.ignoresMerges ? vocabulary : nil, byteTokens: byteTokens, unknown: model.unknown,
      fusesUnknown: model.fusesUnknown, merges: merges)
    model.preTokenizer.forEachWord(in: text) { word in
      cache.append(word, to: &output) { encoder.append(word, &$0, &$1) }
    }
  }
}

/// Encodes words that are not in the cache. A class, because a closure that captured the tokenizer would copy it for
/// each word, and several threads would wait for one another to count the references.
private final class WordEncoder {
  private let vocabulary: Vocabulary?
  private let byteTokens: [Int32]
  private let unknown: Int32?
  private let fusesUnknown: Bool
  private let merges: MergeTable.View

  /// - Parameter vocabulary: for words that are tokens as a whole; `nil` to merge all of them.
  init(
    vocabulary: Vocabulary?, byteTokens: [Int32], unknown: Int32?, fusesUnknown: Bool, merges: MergeTable.View
  ) {
    (self.vocabulary, self.byteTokens, self.unknown) = (vocabulary, byteTokens, unknown)
    (self.fusesUnknown, self.merges) = (fusesUnknown, merges)
  }

  func append(_ word: UnsafeBufferPointer<UInt8>, _ merger: inout BytePairMerger, _ output: inout [Int32]) {
    if let whole = vocabulary?.id(of: word) {
      output.append(whole)
    } else {
      merger.append(
        word, byteTokens: byteTokens, unknown: unknown, fuseUnknown: fusesUnknown, merges: merges, to: &output
      )
    }
  }
}
