import Foundation
import TestSupport
import Testing
import Tokenization

@Suite("Pre-tokenisers")
struct PreTokenizerTests {
  @Test
  func classesEqualThoseOfTheReferenceExpressions() throws {
    let ranges = try TokenizerFixtures.read([String: [[UInt32]]].self, "scalars.json")
    var expected = [ScalarClass](repeating: .other, count: 0x110000)
    for (name, kind) in [("letter", ScalarClass.letter), ("number", .number), ("space", .space)] {
      for range in try #require(ranges[name]) {
        for value in range[0]...range[1] { expected[Int(value)] = kind }
      }
    }
    var checked = 0
    for value in UInt32(0)..<0x110000 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      // The reference library supports Unicode up to version 16; the Swift runtime may support later scalars.
      if let age = scalar.properties.age, age.major > 16 { continue }
      checked += 1
      if ScalarClass(scalar) != expected[Int(value)] {
        Issue.record(
          "U+\(String(value, radix: 16)): \(ScalarClass(scalar)), expected \(expected[Int(value)])")
      }
    }
    #expect(checked > 1_100_000)
  }

  @Test
  func wordsOfEachPattern() {
    let text = "I'LL pay  $1234 now!!\n\n  'tis"
    let gpt2 = PreTokenizer(stages: [.pattern(.gpt2)])
    #expect(
      gpt2.split(text) == [
        "I", "'", "LL", " pay", " ", " $", "1234", " now", "!!", "\n\n ", " '", "tis",
      ])
    let llama3 = PreTokenizer(stages: [.pattern(.cl100k(digits: 3))])
    #expect(
      llama3.split(text) == [
        "I", "'LL", " pay", " ", " $", "123", "4", " now", "!!\n\n", " ", " '", "tis",
      ])
    let qwen2 = PreTokenizer(stages: [.pattern(.cl100k(digits: 1))])
    #expect(qwen2.split("a12 b") == ["a", "1", "2", " b"])
    let smollm = PreTokenizer(stages: [.digits(individual: true), .pattern(.gpt2)])
    #expect(smollm.split("x 12  3") == ["x", " ", "1", "2", "  ", "3"])
    let runs = PreTokenizer(stages: [.digits(individual: false), .prefixSpace])
    #expect(runs.split("a12 b") == [" a", " 12", " b"])
  }

  @Test
  func wordsJoinedAreTheText() throws {
    for text in try TokenizerFixtures.corpus() {
      for pattern in [SplitPattern.gpt2, .cl100k(digits: 1), .cl100k(digits: 3)] {
        let words = PreTokenizer(stages: [.digits(individual: true), .pattern(pattern)]).split(text)
        #expect(same(words.joined(), text))
        #expect(!words.contains(""))
      }
    }
  }
}
