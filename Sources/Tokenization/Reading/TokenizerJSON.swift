import Foundation
import StrictJSON

extension Tokenizer {
  /// Creates a tokenizer from Hugging Face files.
  ///
  /// Supports byte-level BPE only. A field that would change the tokens and is not supported is refused by
  /// name. As in Transformers, `truncation` and `padding` are left to the caller.
  ///
  /// - Parameters:
  ///   - json: the contents of `tokenizer.json`.
  ///   - configuration: from `tokenizer_config.json`; it names the special tokens.
  ///   - file: the file name in error messages.
  /// - Throws: `TokenizerError` if the text is not JSON, fields are missing or contradictory, or the type of
  ///   model, normaliser, pre-tokeniser or post-processor is not supported.
  package init(
    json: Data, configuration: TokenizerConfiguration? = nil, file: String = "tokenizer.json"
  ) throws(TokenizerError) {
    let document = TokenizerDocument(root: try JSONParser.parse(json, file: file), file: file)
    let model = try document.model()
    var options = ModelOptions(preTokenizer: try document.preTokenizer())
    options.composes = try document.composes()
    options.ignoresMerges = model["ignore_merges"]?.bool ?? false
    options.fusesUnknown = model["fuse_unk"]?.bool ?? false
    try document.checkDecoder()

    let added = try document.addedTokens()
    let spellings = try document.spellings(model, added)
    let merges = try document.merges(model)
    if let unknown = model["unk_token"]?.string {
      guard
        let id = spellings.firstIndex(where: { $0.map { ExactString($0) == ExactString(unknown) } ?? false })
      else { throw document.invalid("model.unk_token", "'\(unknown)' is not in the vocabulary") }
      options.unknown = Int32(id)
    }
    var sequence = SequenceTokens()
    (sequence.prefix, sequence.suffix) = try document.surroundings(added)
    func number(of token: String?, _ field: String) throws(TokenizerError) -> Int32? {
      guard let token else { return nil }
      if let found = added.last(where: { ExactString($0.content) == ExactString(token) }) { return found.id }
      guard
        let id = spellings.firstIndex(where: { $0.map { ExactString($0) == ExactString(token) } ?? false })
      else {
        throw .invalid(
          file: configuration?.file ?? file, field: field,
          reason: "'\(token)' is not in the vocabulary of \(file)")
      }
      return Int32(id)
    }
    sequence.beginning = try number(of: configuration?.beginningOfSequence, "bos_token")
    sequence.end = try number(of: configuration?.endOfSequence, "eos_token")
    sequence.padding = try number(of: configuration?.padding, "pad_token")
    try self.init(
      spellings: spellings, merges: merges, added: added, options: options, sequence: sequence, file: file,
      mergesField: "model.merges")
  }
}

/// The sections of a `tokenizer.json`. Each is checked when it is read.
private struct TokenizerDocument {
  let root: JSONValue
  let file: String

  /// A token id above this limit means that the file is damaged.
  static let largestToken = 1 << 24

  func invalid(_ field: String, _ reason: String) -> TokenizerError {
    .invalid(file: file, field: field, reason: reason)
  }

  func unsupported(_ field: String, _ value: String, _ supported: String) -> TokenizerError {
    .unsupported(file: file, field: field, value: value, supported: supported)
  }

  func model() throws(TokenizerError) -> JSONValue {
    guard let model = root["model"] else { throw invalid("model", "is missing; is this a tokenizer.json?") }
    let type = model["type"]?.string ?? "BPE"
    guard type == "BPE" else { throw unsupported("model.type", type, "BPE") }
    if model["byte_fallback"]?.bool == true { throw unsupported("model.byte_fallback", "true", "false") }
    if let dropout = model["dropout"], dropout != .integer(0), dropout != .number(0) {
      throw unsupported("model.dropout", "a number above 0", "null")
    }
    for field in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = model[field]?.string, !affix.isEmpty {
        throw unsupported("model." + field, affix, "null")
      }
    }
    return model
  }

  func addedTokens() throws(TokenizerError) -> [AddedToken] {
    guard let list = root["added_tokens"] else { return [] }
    guard let nodes = list.array else { throw invalid("added_tokens", "is \(list.kind), not a list") }
    var tokens: [AddedToken] = []
    for (index, node) in nodes.enumerated() {
      guard let id = node["id"]?.integer, let content = node["content"]?.string, !content.isEmpty,
        (0...Self.largestToken).contains(id)
      else {
        throw invalid("added_tokens[\(index)]", "needs 'id', a token id, and 'content', a string")
      }
      let isSpecial = node["special"]?.bool ?? false
      tokens.append(
        AddedToken(
          id: Int32(id), content: content, isSpecial: isSpecial,
          stripsLeft: node["lstrip"]?.bool ?? false, stripsRight: node["rstrip"]?.bool ?? false,
          isSingleWord: node["single_word"]?.bool ?? false,
          isNormalized: node["normalized"]?.bool ?? !isSpecial))
    }
    return tokens
  }

  func spellings(_ model: JSONValue, _ added: [AddedToken]) throws(TokenizerError) -> [String?] {
    guard case .object(let members)? = model["vocab"], !members.isEmpty else {
      throw invalid("model.vocab", "is missing or empty")
    }
    var largest = added.map { Int($0.id) }.max() ?? 0
    for member in members {
      guard let id = member.value.integer, (0...Self.largestToken).contains(id) else {
        throw invalid("model.vocab", "the id of '\(member.key)' is not a token id")
      }
      largest = max(largest, id)
    }
    var spellings = [String?](repeating: nil, count: largest + 1)
    for member in members {
      guard let id = member.value.integer else { continue }
      if let other = spellings[id] {
        throw invalid("model.vocab", "'\(other)' and '\(member.key)' both have the id \(id)")
      }
      spellings[id] = member.key
    }
    return spellings
  }

  func merges(_ model: JSONValue) throws(TokenizerError) -> [Merge] {
    guard let nodes = model["merges"]?.array else {
      throw invalid("model.merges", "is missing or not a list")
    }
    var merges: [Merge] = []
    merges.reserveCapacity(nodes.count)
    for (rank, node) in nodes.enumerated() {
      var merge: Merge?
      if let line = node.string {
        merge = Merge(line)
      } else if let pair = node.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string
      {
        merge = Merge(left: left, right: right)
      }
      guard let merge else {
        throw invalid("model.merges[\(rank)]", "is neither 'left right' nor a pair of tokens")
      }
      merges.append(merge)
    }
    return merges
  }

  /// Whether the normaliser is NFC; `false` if there is none.
  func composes() throws(TokenizerError) -> Bool {
    guard let node = root["normalizer"] else { return false }
    return try composes(node, "normalizer")
  }

  private func composes(_ node: JSONValue, _ field: String) throws(TokenizerError) -> Bool {
    switch node["type"]?.string {
    case "NFC": return true
    case "Sequence":
      var composes = false
      for (index, child) in (node["normalizers"]?.array ?? []).enumerated() {
        if try self.composes(child, "\(field).normalizers[\(index)]") { composes = true }
      }
      return composes
    case let type: throw unsupported(field + ".type", type ?? node.kind, "NFC, null")
    }
  }

  func preTokenizer() throws(TokenizerError) -> PreTokenizer {
    guard let node = root["pre_tokenizer"] else {
      throw unsupported("pre_tokenizer", "null", "a byte-level pre-tokeniser")
    }
    var stages: [PreTokenizer.Stage] = []
    var isByteLevel = false
    try appendStages(node, "pre_tokenizer", &stages, &isByteLevel)
    guard isByteLevel else {
      throw unsupported("pre_tokenizer", node["type"]?.string ?? node.kind, "one that ends in ByteLevel")
    }
    return PreTokenizer(stages: stages)
  }

  private func appendStages(
    _ node: JSONValue, _ field: String, _ stages: inout [PreTokenizer.Stage], _ isByteLevel: inout Bool
  ) throws(TokenizerError) {
    if isByteLevel { throw unsupported(field, "a stage after ByteLevel", "ByteLevel last") }
    switch node["type"]?.string {
    case "Sequence":
      for (index, child) in (node["pretokenizers"]?.array ?? []).enumerated() {
        try appendStages(child, "\(field).pretokenizers[\(index)]", &stages, &isByteLevel)
      }
    case "ByteLevel":
      if node["add_prefix_space"]?.bool ?? true { stages.append(.prefixSpace) }
      if node["use_regex"]?.bool ?? true { stages.append(.pattern(.gpt2)) }
      isByteLevel = true
    case "Digits":
      stages.append(.digits(individual: node["individual_digits"]?.bool ?? false))
    case "Split":
      let behavior = node["behavior"]?.string ?? ""
      guard behavior == "Isolated" else { throw unsupported(field + ".behavior", behavior, "Isolated") }
      if node["invert"]?.bool == true { throw unsupported(field + ".invert", "true", "false") }
      guard let expression = node["pattern"]?["Regex"]?.string else {
        throw unsupported(field + ".pattern", "String", "Regex")
      }
      guard let pattern = SplitPattern(expression: expression) else {
        throw unsupported(
          field + ".pattern.Regex", expression, "the expressions of GPT-2, Llama 3 (cl100k) and Qwen2")
      }
      stages.append(.pattern(pattern))
    case let type:
      throw unsupported(field + ".type", type ?? node.kind, "Sequence, Split, Digits, ByteLevel")
    }
  }

  func checkDecoder() throws(TokenizerError) {
    guard let decoder = root["decoder"] else { return }
    let type = decoder["type"]?.string ?? decoder.kind
    guard type == "ByteLevel" else { throw unsupported("decoder.type", type, "ByteLevel") }
  }

  /// The tokens that the post-processor adds before and after a text.
  func surroundings(_ added: [AddedToken]) throws(TokenizerError) -> (prefix: [Int32], suffix: [Int32]) {
    guard let node = root["post_processor"] else { return ([], []) }
    return try surroundings(node, "post_processor", added)
  }

  private func surroundings(
    _ node: JSONValue, _ field: String, _ added: [AddedToken]
  ) throws(TokenizerError) -> (prefix: [Int32], suffix: [Int32]) {
    switch node["type"]?.string {
    case "ByteLevel": return ([], [])
    case "Sequence":
      var result: (prefix: [Int32], suffix: [Int32]) = ([], [])
      for (index, child) in (node["processors"]?.array ?? []).enumerated() {
        let inner = try surroundings(child, "\(field).processors[\(index)]", added)
        result = (inner.prefix + result.prefix, result.suffix + inner.suffix)
      }
      return result
    case "TemplateProcessing":
      var result: (prefix: [Int32], suffix: [Int32]) = ([], [])
      var seenText = false
      for (index, piece) in (node["single"]?.array ?? []).enumerated() {
        if piece["Sequence"] != nil {
          if seenText { throw unsupported("\(field).single[\(index)]", "the text twice", "the text once") }
          seenText = true
          continue
        }
        guard let name = piece["SpecialToken"]?["id"]?.string,
          let ids = node["special_tokens"]?[name]?["ids"]?.array
        else { throw invalid("\(field).single[\(index)]", "names a special token without ids") }
        for id in ids {
          guard let id = id.integer, (0...Self.largestToken).contains(id) else {
            throw invalid("\(field).special_tokens.\(name).ids", "contains something that is not a token id")
          }
          if seenText { result.suffix.append(Int32(id)) } else { result.prefix.append(Int32(id)) }
        }
      }
      guard seenText else { throw invalid(field + ".single", "does not contain the text") }
      return result
    case let type:
      throw unsupported(field + ".type", type ?? node.kind, "Sequence, TemplateProcessing, ByteLevel")
    }
  }
}

extension SplitPattern {
  /// The scanner for a regular expression from a model file; `nil` if there is none.
  init?(expression: String) {
    let spaces = #"\s+(?!\S)|\s+"#
    if expression == #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|"# + spaces
      || expression == #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|"# + spaces
    {
      self = .gpt2
      return
    }
    let contractions = ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?i:'(?:[sdmt]|ll|ve|re))"]
    for (digits, numbers) in [(1, #"\p{N}"#), (3, #"\p{N}{1,3}"#)] {
      let rest =
        #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"# + spaces
      if contractions.contains(where: { $0 + rest == expression }) {
        self = .cl100k(digits: digits)
        return
      }
    }
    return nil
  }
}
