import SafeFiles

/// The tokenizer a GGUF file carries, as plain values.
package struct GGUFTokenizerMetadata: Sendable, Equatable {
  /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE.
  package var model: String
  /// The tokens; the index is the id.
  package var tokens: [String]
  /// The merges, best first, each two tokens with a space between; empty where the file has none.
  package var merges: [String]
  /// A kind for each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; empty where
  /// the file has none.
  package var tokenTypes: [Int]
  /// `tokenizer.ggml.pre`, the name of the pre-tokeniser (`smollm`, `llama-bpe` …).
  package var preTokenizer: String?
  /// The id that starts a text.
  package var bos: Int?
  /// The id that ends a turn or text.
  package var eos: Int?
  /// The id that stands for what cannot be tokenised.
  package var unknown: Int?
  /// The id used to pad.
  package var padding: Int?
  /// Whether the tokenizer puts `bos` before a text; `nil` where the file does not say.
  package var addBOS: Bool?

  /// Reads the `tokenizer.ggml.*` keys; `nil` where the file has no tokens.
  ///
  /// Throws `FileError` for keys of a wrong type, or an id or list that does not fit the tokens.
  package init?(_ file: GGUFFile) throws {
    let prefix = "tokenizer.ggml."
    guard file.metadata[prefix + "tokens"] != nil else { return nil }
    tokens = try file.strings(prefix + "tokens")
    model = try file.string(prefix + "model") ?? ""
    merges = file.metadata[prefix + "merges"] == nil ? [] : try file.strings(prefix + "merges")
    tokenTypes = file.metadata[prefix + "token_type"] == nil ? [] : try file.integers(prefix + "token_type")
    preTokenizer = try file.string(prefix + "pre")
    bos = try file.integer(prefix + "bos_token_id")
    eos = try file.integer(prefix + "eos_token_id")
    unknown = try file.integer(prefix + "unknown_token_id")
    padding = try file.integer(prefix + "padding_token_id")
    addBOS = try file.bool(prefix + "add_bos_token")
    guard tokenTypes.isEmpty || tokenTypes.count == tokens.count else {
      throw FileError(
        .malformed, file: file.path, field: prefix + "token_type",
        problem: "\(tokenTypes.count) types for \(tokens.count) tokens",
        remedy: "convert the model again with a current tool")
    }
    for (key, id) in [("bos", bos), ("eos", eos), ("unknown", unknown), ("padding", padding)] {
      guard let id, !tokens.indices.contains(id) else { continue }
      throw FileError(
        .malformed, file: file.path, field: "\(prefix)\(key)_token_id",
        problem: "id \(id) is not among the \(tokens.count) tokens",
        remedy: "convert the model again with a current tool")
    }
  }
}
