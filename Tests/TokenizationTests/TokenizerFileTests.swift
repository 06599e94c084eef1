import Foundation
import TestSupport
import Testing
import Tokenization

@Suite("Tokenizer files")
struct TokenizerFileTests {
  /// A complete small tokenizer.json with some text replaced.
  func document(_ old: String = "", _ new: String = "") -> Data {
    let text = """
      {"version": "1.0",
       "added_tokens": [{"id": 5, "content": "<e>", "special": true, "normalized": false}],
       "normalizer": null,
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
       "post_processor": null,
       "decoder": {"type": "ByteLevel"},
       "model": {"type": "BPE", "dropout": null, "unk_token": null, "byte_fallback": false,
        "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4}, "merges": ["a b", ["Ġ", "ab"]]}}
      """
    precondition(old.isEmpty || text.contains(old))
    return Data(text.replacingOccurrences(of: old, with: new).utf8)
  }

  @Test
  func aSmallFile() throws {
    let tokenizer = try Tokenizer(json: document())
    #expect(tokenizer.encode("ab ab<e>b") == [2, 4, 5, 1])
    #expect(tokenizer.encode("ab<e>", parseSpecial: false) == [2])
    #expect(tokenizer.vocabularySize == 6)
    #expect(tokenizer.id(of: "Ġab") == 4)
    #expect(tokenizer.id(of: "<e>") == 5)
    #expect(tokenizer.id(of: "zz") == nil)
    #expect(tokenizer.id(of: "") == nil)
    #expect(tokenizer.token(of: 4) == "Ġab")
    #expect(tokenizer.token(of: 5) == "<e>")
    #expect(tokenizer.token(of: 6) == nil)
    #expect(tokenizer.isSpecial(5) && !tokenizer.isSpecial(4))
    let special = try #require(tokenizer.token(of: 5))
    for text in ["a \(special) b", special, "plain", "", String(special.dropLast())] {
      #expect(tokenizer.containsSpecial(text) == tokenizer.encode(text).contains(where: tokenizer.isSpecial))
    }
    #expect(tokenizer.containsSpecial("a \(special) b"))
    #expect(tokenizer.decode([2, -1, 4, 99, 5], skipSpecial: false) == "ab ab<e>")
    #expect(tokenizer.decode([2, 5, 4], skipSpecial: true) == "ab ab")
  }

  @Test
  func whatIsNotSupportedIsNamed() {
    let cases: [(old: String, new: String, field: String)] = [
      (#""type": "BPE""#, #""type": "Unigram""#, "model.type"),
      (#""byte_fallback": false"#, #""byte_fallback": true"#, "model.byte_fallback"),
      (#""dropout": null"#, #""dropout": 0.1"#, "model.dropout"),
      (#""unk_token": null"#, #""end_of_word_suffix": "</w>""#, "model.end_of_word_suffix"),
      (#""normalizer": null"#, #""normalizer": {"type": "Lowercase"}"#, "normalizer.type"),
      (
        #""normalizer": null"#,
        #""normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFKC"}]}"#,
        "normalizer.normalizers[1].type"
      ),
      (#"{"type": "ByteLevel", "add"#, #"{"type": "Metaspace", "add"#, "pre_tokenizer.type"),
      (#""pre_tokenizer": {"#, #""x": {"#, "pre_tokenizer"),
      (
        #""pre_tokenizer": {"#,
        #""pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "x+"}}]}, "x": {"#,
        "pre_tokenizer.pretokenizers[0].pattern.Regex"
      ),
      (
        #""pre_tokenizer": {"#,
        #""pre_tokenizer": {"type": "Split", "behavior": "Removed", "pattern": {"Regex": "x+"}}, "x": {"#,
        "pre_tokenizer.behavior"
      ),
      (#""decoder": {"type": "ByteLevel"}"#, #""decoder": {"type": "WordPiece"}"#, "decoder.type"),
      (#""post_processor": null"#, #""post_processor": {"type": "BertProcessing"}"#, "post_processor.type"),
    ]
    for (old, new, field) in cases {
      let error = #expect(throws: TokenizerError.self) {
        try Tokenizer(json: document(old, new), file: "t.json")
      }
      guard case .unsupported(file: "t.json", field: field, value: _, supported: _)? = error else {
        Issue.record("\(field): \(String(describing: error))")
        continue
      }
    }
  }

  @Test
  func whatIsWrongIsNamed() {
    let cases: [(old: String, new: String, field: String)] = [
      (#""model": {"#, #""modell": {"#, "model"),
      (#""vocab""#, #""words""#, "model.vocab"),
      (#""b": 1"#, #""b": 0"#, "model.vocab"),
      (#""b": 1"#, #""b": -1"#, "model.vocab"),
      (#""b": 1"#, #""b": "x""#, "model.vocab"),
      (#""b": 1"#, #""b": 99999999999"#, "model.vocab"),
      (#""merges""#, #""rules""#, "model.merges"),
      (#""a b""#, #""a c""#, "model.merges[0]"),
      (#""a b""#, #""ab""#, "model.merges[0]"),
      (#""a b""#, #""a b b""#, "model.merges[0]"),
      (#"["Ġ", "ab"]"#, #"["Ġ"]"#, "model.merges[1]"),
      (#"["Ġ", "ab"]"#, #"["b", "a"]"#, "model.merges[1]"),
      (#""id": 5, "#, "", "added_tokens[0]"),
      (#""unk_token": null"#, #""unk_token": "<u>""#, "model.unk_token"),
      (
        #""post_processor": null"#,
        #""post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]}"#,
        "post_processor.single[0]"
      ),
    ]
    for (old, new, field) in cases {
      let error = #expect(throws: TokenizerError.self) {
        try Tokenizer(json: document(old, new), file: "t.json")
      }
      guard case .invalid(file: "t.json", field: field, reason: _)? = error else {
        Issue.record("\(field): \(String(describing: error))")
        continue
      }
    }
  }

  @Test
  func damagedJSON() {
    let whole = document()
    for length in 0..<whole.count - 1 {
      #expect(throws: TokenizerError.self, "cut at \(length)") { try Tokenizer(json: whole.prefix(length)) }
    }
    let error = #expect(throws: TokenizerError.self) {
      try Tokenizer(json: Data("{\n \"a\": tru}".utf8), file: "t.json")
    }
    #expect(
      error?.description == "t.json:2:7: not valid JSON: a value cannot start here; fetch the file again")
    for text in [
      "", "[", "{\"a\" 1}", "\"\\ud800\"", "\"\\x\"", "\"a\nb\"", "1 2", "{,}", "[1,]", "\"\\u12g4\"", "--1",
    ] {
      #expect(throws: TokenizerError.self, "\(text)") { try Tokenizer(json: Data(text.utf8)) }
    }
    #expect(throws: TokenizerError.self) { try Tokenizer(json: Data([0x22, 0xFF, 0x22])) }
    #expect(throws: TokenizerError.self) {
      try Tokenizer(json: Data(String(repeating: "[", count: 100_000).utf8))
    }
  }

  @Test
  func configuration() throws {
    let json =
      #"{"eos_token": {"content": "<e>"}, "bos_token": null, "chat_template": [{"name": "default", "template": "T"}]}"#
    let configuration = try TokenizerConfiguration(json: Data(json.utf8))
    #expect(configuration.chatTemplate == "T")
    #expect(configuration.specialTokens == ["eos_token": "<e>"])
    let tokenizer = try Tokenizer(json: document(), configuration: configuration)
    #expect(tokenizer.endOfSequence == 5)
    #expect(tokenizer.beginningOfSequence == nil)
    let wrong = try TokenizerConfiguration(json: Data(#"{"eos_token": "<x>"}"#.utf8))
    #expect(throws: TokenizerError.self) { try Tokenizer(json: document(), configuration: wrong) }
    for text in ["[]", #"{"eos_token": 1}"#, #"{"chat_template": {"a": 1}}"#, "{"] {
      #expect(throws: TokenizerError.self) { try TokenizerConfiguration(json: Data(text.utf8)) }
    }
  }

  @Test
  func ggufMetadata() throws {
    let good = BPESpecification(
      tokens: ["a", "b", "ab", "<e>", "<t>"], merges: ["a b"], tokenTypes: [1, 1, 1, 3, 4],
      preTokenizer: "llama-bpe",
      beginningOfSequence: 3, endOfSequence: 3)
    let tokenizer = try Tokenizer(good)
    #expect(tokenizer.encode("ab<e><t>", addSpecial: true) == [3, 2, 3, 4])
    #expect(tokenizer.encode("ab<e><t>", parseSpecial: false) == [2, 4])
    #expect(tokenizer.endOfSequence == 3)
    func field(_ change: (inout BPESpecification) -> Void) -> String? {
      var changed = good
      change(&changed)
      do {
        _ = try Tokenizer(changed)
        return nil
      } catch {
        switch error {
        case .invalid(_, let field, _), .unsupported(_, let field, _, _): return field
        case .notJSON: return nil
        }
      }
    }
    #expect(field { $0.tokens = [] } == "tokenizer.ggml.tokens")
    #expect(field { $0.tokenTypes = [1] } == "tokenizer.ggml.token_type")
    #expect(field { $0.preTokenizer = "bloom" } == "tokenizer.ggml.pre")
    #expect(field { $0.endOfSequence = 5 } == "tokenizer.ggml.eos_token_id")
    #expect(field { $0.beginningOfSequence = -1 } == "tokenizer.ggml.bos_token_id")
    #expect(field { $0.beginningOfSequence = nil } == "tokenizer.ggml.bos_token_id")
    #expect(field { $0.merges = ["ab"] } == "tokenizer.ggml.merges[0]")
    #expect(field { $0.merges = ["a b", "b b"] } == "tokenizer.ggml.merges[1]")
  }

  @Test
  func streamingHoldsBackHalfScalars() throws {
    // One token per byte: token IDs are bytes.
    var extra = UInt32(255)
    let tokens = try (UInt32(0)..<256).map { byte in
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
      if !isPrintable { extra += 1 }
      return String(try #require(Unicode.Scalar(isPrintable ? byte : extra)))
    }
    let tokenizer = try Tokenizer(BPESpecification(tokens: tokens, merges: [], preTokenizer: "gpt-2"))
    for text in ["aé日😀b", "😀", "\u{10FFFF}\u{800}", "\0\r\n\u{AD}"] {
      #expect(tokenizer.encode(text) == text.utf8.map(Int32.init))
      var decoder = StreamingDecoder(tokenizer, skipSpecial: false)
      let pieces = text.utf8.map { decoder.append(Int32($0)) }
      #expect(pieces.joined() + decoder.finish() == text)
      #expect(
        pieces.filter { !$0.isEmpty }.map { $0.unicodeScalars.count } == text.unicodeScalars.map { _ in 1 })
    }
    // Bytes that never become text are emitted as in whole decoding, as soon as that is certain.
    var generator = RepeatableNumbers(seed: 7)
    for _ in 0..<2000 {
      let leads: [Int32] = [
        0x41, 0x80, 0x9F, 0xA0, 0xBF, 0xC1, 0xC3, 0xE0, 0xE6, 0xED, 0xF0, 0xF3, 0xF4, 0xF5, 0xFF,
      ]
      let ids = (0..<6).map { _ in leads[generator.next(below: leads.count)] }
      var decoder = StreamingDecoder(tokenizer, skipSpecial: false)
      var streamed = ids.map { decoder.append($0) }.joined()
      streamed += decoder.finish()
      #expect(same(streamed, tokenizer.decode(ids, skipSpecial: false)), "\(ids)")
    }
  }
}

/// Repeatable numbers (a linear congruential generator, Knuth's MMIX constants).
private struct RepeatableNumbers {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next(below bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}
