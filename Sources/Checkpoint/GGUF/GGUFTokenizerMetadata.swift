/// The tokenizer a GGUF file carries, as plain values.
public struct GGUFTokenizerMetadata: Sendable, Equatable {
  /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE.
  public var model: String
  /// The tokens; the index is the id.
  public var tokens: [String]
  /// The merges, best first, each two tokens with a space between; empty where the file has none.
  public var merges: [String]
  /// A kind for each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; empty where
  /// the file has none.
  public var tokenTypes: [Int]
  /// `tokenizer.ggml.pre`, the name of the pre-tokeniser (`smollm`, `llama-bpe` …).
  public var preTokenizer: String?
  /// The id that starts a text.
  public var bos: Int?
  /// The id that ends a turn or text.
  public var eos: Int?
  /// The id that stands for what cannot be tokenised.
  public var unknown: Int?
  /// The id used to pad.
  public var padding: Int?
  /// Whether the tokenizer puts `bos` before a text; `nil` where the file does not say.
  public var addBOS: Bool?

  /// Reads the `tokenizer.ggml.*` keys; `nil` where the file has no tokens.
  ///
  /// Throws `CheckpointError` for keys of a wrong type, or an id or list that does not fit the tokens.
  public init?(_ file: GGUFFile) throws {
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
      throw CheckpointError(
        .malformed, file: file.path, field: prefix + "token_type",
        problem: "\(tokenTypes.count) types for \(tokens.count) tokens",
        remedy: "convert the model again with a current tool")
    }
    for (key, id) in [("bos", bos), ("eos", eos), ("unknown", unknown), ("padding", padding)] {
      guard let id, !tokens.indices.contains(id) else { continue }
      throw CheckpointError(
        .malformed, file: file.path, field: "\(prefix)\(key)_token_id",
        problem: "id \(id) is not among the \(tokens.count) tokens",
        remedy: "convert the model again with a current tool")
    }
  }
}
