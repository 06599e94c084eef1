/// A tokenizer as described by GGUF metadata. Each member names the key from which it is read.
package struct BPESpecification: Sendable, Equatable {
  /// `tokenizer.ggml.tokens`: the token of each id, in the byte-level alphabet.
  package var tokens: [String]
  /// `tokenizer.ggml.merges`: pairs as `left right`, in order of rank.
  package var merges: [String]
  /// `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty if
  /// the file does not have it; then every token is normal.
  package var tokenTypes: [Int]
  /// `tokenizer.ggml.pre`: `gpt-2`, `llama-bpe`, `qwen2`, `smollm` or one of their aliases.
  package var preTokenizer: String
  /// `tokenizer.ggml.bos_token_id`.
  package var beginningOfSequence: Int?
  /// `tokenizer.ggml.eos_token_id`.
  package var endOfSequence: Int?
  /// `tokenizer.ggml.unknown_token_id`. Byte-level models do not use it: bytes without a token are omitted.
  package var unknown: Int?
  /// `tokenizer.ggml.padding_token_id`.
  package var padding: Int?
  /// `tokenizer.ggml.add_bos_token`; `nil` if the file does not have it, which means `true` for Llama 3 and
  /// `false` for other models.
  package var addsBeginningOfSequence: Bool?

  package init(
    tokens: [String], merges: [String], tokenTypes: [Int] = [], preTokenizer: String,
    beginningOfSequence: Int? = nil, endOfSequence: Int? = nil, unknown: Int? = nil, padding: Int? = nil,
    addsBeginningOfSequence: Bool? = nil
  ) {
    self.tokens = tokens
    self.merges = merges
    self.tokenTypes = tokenTypes
    self.preTokenizer = preTokenizer
    self.beginningOfSequence = beginningOfSequence
    self.endOfSequence = endOfSequence
    self.unknown = unknown
    self.padding = padding
    self.addsBeginningOfSequence = addsBeginningOfSequence
  }
}

extension Tokenizer {
  /// Creates a tokenizer from GGUF metadata.
  ///
  /// - Parameter file: the file name in error messages.
  /// - Throws: `TokenizerError` for an unknown pre-tokeniser, contradictory counts, a merge of tokens that do
  ///   not exist, or a special token outside the vocabulary.
  package init(_ specification: BPESpecification, file: String = "GGUF") throws(TokenizerError) {
    let types = specification.tokenTypes
    guard !specification.tokens.isEmpty else {
      throw .invalid(file: file, field: "tokenizer.ggml.tokens", reason: "there are no tokens")
    }
    guard types.isEmpty || types.count == specification.tokens.count else {
      throw .invalid(
        file: file, field: "tokenizer.ggml.token_type",
        reason: "\(types.count) types for \(specification.tokens.count) tokens; there must be one for each")
    }
    guard let family = Family(name: specification.preTokenizer) else {
      throw .unsupported(
        file: file, field: "tokenizer.ggml.pre", value: specification.preTokenizer,
        supported: Family.allNames.joined(separator: ", "))
    }
    func check(_ id: Int?, _ key: String) throws(TokenizerError) -> Int32? {
      guard let id else { return nil }
      guard specification.tokens.indices.contains(id) else {
        throw .invalid(
          file: file, field: "tokenizer.ggml." + key,
          reason: "\(id) is outside the vocabulary of \(specification.tokens.count) tokens")
      }
      return Int32(id)
    }
    var sequence = SequenceTokens()
    sequence.beginning = try check(specification.beginningOfSequence, "bos_token_id")
    sequence.end = try check(specification.endOfSequence, "eos_token_id")
    sequence.padding = try check(specification.padding, "padding_token_id")
    _ = try check(specification.unknown, "unknown_token_id")
    if specification.addsBeginningOfSequence ?? (family == .llama3) {
      guard let beginning = sequence.beginning else {
        throw .invalid(
          file: file, field: "tokenizer.ggml.bos_token_id",
          reason: "is missing, though tokenizer.ggml.add_bos_token asks for it")
      }
      sequence.prefix = [beginning]
    }
    var merges: [Merge] = []
    merges.reserveCapacity(specification.merges.count)
    for (rank, line) in specification.merges.enumerated() {
      guard let merge = Merge(line) else {
        throw .invalid(
          file: file, field: "tokenizer.ggml.merges[\(rank)]",
          reason: "'\(line)' is not two tokens separated by a space")
      }
      merges.append(merge)
    }
    let added = types.indices.compactMap { id -> AddedToken? in
      guard (2...4).contains(types[id]) else { return nil }
      return AddedToken(id: Int32(id), content: specification.tokens[id], isSpecial: types[id] != 4)
    }
    try self.init(
      spellings: specification.tokens, merges: merges, added: added, options: family.options,
      sequence: sequence, file: file, mergesField: "tokenizer.ggml.merges")
  }
}

/// The families of byte-level models, by GGUF's names for their pre-tokenisers.
private enum Family: CaseIterable {
  case gpt2, llama3, qwen2, smollm

  var names: [String] {
    switch self {
    case .gpt2: ["gpt-2", "phi-2"]
    case .llama3: ["llama-bpe", "llama3", "llama-v3"]
    case .qwen2: ["qwen2", "deepseek-r1-qwen"]
    case .smollm: ["smollm", "starcoder", "refact", "command-r"]
    }
  }

  static var allNames: [String] { allCases.flatMap(\.names) }

  init?(name: String) {
    guard let family = Self.allCases.first(where: { $0.names.contains(name) }) else { return nil }
    self = family
  }

  var options: ModelOptions {
    switch self {
    case .gpt2: ModelOptions(preTokenizer: PreTokenizer(stages: [.pattern(.gpt2)]))
    case .llama3:
      ModelOptions(preTokenizer: PreTokenizer(stages: [.pattern(.cl100k(digits: 3))]), ignoresMerges: true)
    case .qwen2:
      ModelOptions(preTokenizer: PreTokenizer(stages: [.pattern(.cl100k(digits: 1))]), composes: true)
    case .smollm:
      ModelOptions(preTokenizer: PreTokenizer(stages: [.digits(individual: true), .pattern(.gpt2)]))
    }
  }
}
