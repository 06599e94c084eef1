import Foundation
import TestSupport
import Tokenization

/// The golden files under `Fixtures/tokenizer`, written by `generate.py` with the reference libraries.
enum TokenizerFixtures {
  struct Golden: Decodable {
    struct Decoded: Decodable {
      var ids: [Int32]
      var text: String
      var skipped: String
    }

    enum Different: Decodable {
      case index(Int)
      case ids([Int32])

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let index = try? container.decode(Int.self) {
          self = .index(index)
        } else {
          self = .ids(try container.decode([Int32].self))
        }
      }
    }

    var size: Int
    var encoded: [[Int32]]
    var plain: [[Different]]
    var surrounded: [[Int32]]
    var decoded: [Decoded]

    /// The expected tokens if special tokens are treated as plain text.
    func encodedPlain(_ index: Int) -> [Int32] {
      for pair in plain {
        if case .index(index) = pair[0], case .ids(let ids) = pair[1] { return ids }
      }
      return encoded[index]
    }
  }

  struct VocabularyFile: Decodable {
    var pre: String
    var bos: Int
    var eos: Int
    var unknown: Int
    var padding: Int
    var addBOS: Bool
    var control: [Int]
    var tokens: String
    var merges: String
  }

  static func data(_ name: String) throws -> Data {
    try Data(contentsOf: Fixtures.url("tokenizer/" + name))
  }

  static func read<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
    try JSONDecoder().decode(type, from: data(name))
  }

  static func corpus() throws -> [String] { try read([String].self, "corpus.json") }

  static func golden(_ name: String) throws -> Golden { try read(Golden.self, name + ".golden.json") }

  /// SmolLM2's tokenizer, as the GGUF metadata specifies it.
  static func smollm2Specification() throws -> BPESpecification {
    let file = try read(VocabularyFile.self, "smollm2.vocabulary.json")
    let tokens = file.tokens.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var types = [Int](repeating: 1, count: tokens.count)
    for id in file.control { types[id] = 3 }
    return BPESpecification(
      tokens: tokens, merges: file.merges.split(separator: "\n").map(String.init), tokenTypes: types,
      preTokenizer: file.pre, beginningOfSequence: file.bos, endOfSequence: file.eos, unknown: file.unknown,
      padding: file.padding, addsBeginningOfSequence: file.addBOS)
  }

  /// Tokenizers by fixture name.
  static func tokenizer(_ name: String) throws -> Tokenizer {
    if name == "smollm2" { return try Tokenizer(smollm2Specification()) }
    return try Tokenizer(json: data(name + ".tokenizer.json"))
  }

  static let names = ["smollm2", "gpt2", "llama3", "qwen2", "variants"]
}

/// Scalars as hexadecimal numbers, so that a failure shows what a terminal would hide.
func scalars(_ text: String) -> String {
  text.unicodeScalars.map { String($0.value, radix: 16) }.joined(separator: " ")
}

/// Whether two texts have the same scalars; `==` would accept canonically equivalent ones.
func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
