import Foundation
import SafeFiles

/// The tokenizer of a GGUF file as plain values.
package struct GGUFTokenizerMetadata: Sendable, Equatable, Codable {
  /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE.
  package var model: String
  /// The tokens, by id.
  package var tokens: [String]
  /// The merges in order of rank, each as two tokens separated by a space; empty if the file has none.
  package var merges: [String]
  /// The type of each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; empty if the
  /// file has none.
  package var tokenTypes: [Int]
  /// `tokenizer.ggml.pre`: the name of the pre-tokeniser, such as `smollm` or `llama-bpe`.
  package var preTokenizer: String?
  /// The beginning-of-sequence id.
  package var bos: Int?
  /// The id that ends a turn or text.
  package var eos: Int?
  /// The id for text that cannot be tokenised.
  package var unknown: Int?
  /// The padding id.
  package var padding: Int?
  /// Whether the tokenizer adds `bos` before a text; `nil` if the file does not specify it.
  package var addBOS: Bool?

  /// All values as one text; equal metadata give equal texts.
  package func canonicalText() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// Reads the `tokenizer.ggml.*` keys; `nil` if the file has no tokens.
  ///
  /// - Throws: `FileError` if a key has the wrong type, or an id or a list does not match the tokens.
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
