import SeededRandom
import Datasets
import Foundation
import Testing

@Suite struct SeededOrderTests {
  @Test func splitMixMatchesPublishedValues() {
    var source = SplitMix64(state: 1_234_567)
    let expected: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
    ]
    #expect(expected.map { _ in source.next() } == expected)
  }

  @Test func xoshiroMatchesPublishedValues() {
    var generator = SeededGenerator(state: (1, 2, 3, 4))
    let expected: [UInt64] = [
      11520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360, 607_988_272_756_665_600,
      16_172_922_978_634_559_625, 8_476_171_486_693_032_832,
    ]
    #expect(expected.map { _ in generator.next() } == expected)
  }

  @Test func seedIsFilledBySplitMix() {
    var source = SplitMix64(state: 99)
    let state = (source.next(), source.next(), source.next(), source.next())
    #expect(SeededGenerator(seed: 99) == SeededGenerator(state: state))
    #expect(SeededGenerator(seed: 99, stream: 1) != SeededGenerator(seed: 99))
    #expect(SeededGenerator(seed: 99, stream: 1) != SeededGenerator(seed: 99, stream: 2))
  }

  @Test func generatorGoesOnAfterCoding() throws {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<10 { _ = generator.next() }
    var copy = try JSONDecoder().decode(SeededGenerator.self, from: JSONEncoder().encode(generator))
    for _ in 0..<10 { #expect(generator.next() == copy.next()) }
  }

  @Test(arguments: [1, 2, 3, 7, 10])
  func boundedDrawsAreUniform(bound: Int) {
    var generator = SeededGenerator(seed: 11)
    var counts = [Int](repeating: 0, count: bound)
    let draws = 20_000
    for _ in 0..<draws { counts[generator.below(bound)] += 1 }
    let expected = Double(draws) / Double(bound)
    // Chi-square: the 99.99 % quantile for 9 degrees of freedom is 33.7, and lower for fewer.
    #expect(counts.reduce(0) { $0 + pow(Double($1) - expected, 2) / expected } < 33.7)
  }

  @Test func hugeBoundsAreUniform() {
    // Just above half of the 64-bit range, where a draw without rejection would be badly skewed.
    let bound = Int.max / 3 * 2
    var generator = SeededGenerator(seed: 3)
    let low = (0..<9000).count { _ in generator.below(bound) < bound / 3 }
    #expect((2800...3200).contains(low))
  }

  @Test func everyPermutationIsEquallyLikely() {
    var generator = SeededGenerator(seed: 8)
    var counts: [[Int]: Int] = [:]
    for _ in 0..<24_000 { counts[[0, 1, 2, 3].shuffled(by: &generator), default: 0] += 1 }
    #expect(counts.count == 24)
    // Chi-square with 23 degrees of freedom: the 99.99 % quantile is 56.0.
    #expect(counts.values.reduce(0) { $0 + pow(Double($1) - 1000, 2) / 1000 } < 56.0)
  }

  @Test func shuffleIsPartOfTheContract() {
    #expect(Array(0..<10).shuffled(seed: 7) == [1, 8, 3, 0, 4, 5, 9, 6, 2, 7])
    #expect([Int]().shuffled(seed: 7).isEmpty)
    #expect([1].shuffled(seed: 7) == [1])
  }

  @Test func epochsAreDifferentPermutations() {
    let first = EpochOrder(count: 100, seed: 1, epoch: 0)
    #expect(first.sorted() == Array(0..<100))
    #expect(first == EpochOrder(count: 100, seed: 1, epoch: 0))
    #expect(first != EpochOrder(count: 100, seed: 1, epoch: 1))
    #expect(first != EpochOrder(count: 100, seed: 2, epoch: 0))
    #expect(EpochOrder(count: 0, seed: 1, epoch: 0).isEmpty)
  }

  @Test func cursorResumesAnywhere() throws {
    func batches(from start: DataCursor, _ count: Int) -> (taken: [[Int]], end: DataCursor) {
      var cursor = start
      let taken = (0..<count).map { _ in cursor.take(4, of: 10, seed: 21) }
      return (taken, cursor)
    }
    let whole = batches(from: DataCursor(), 9)
    #expect(whole.taken.map(\.count) == [4, 4, 2, 4, 4, 2, 4, 4, 2])
    #expect(whole.end == DataCursor(epoch: 3, position: 0))
    #expect(Array(whole.taken[..<3].joined()) == EpochOrder(count: 10, seed: 21, epoch: 0).permutation)
    #expect(Array(whole.taken[3..<6].joined()) == EpochOrder(count: 10, seed: 21, epoch: 1).permutation)
    for stop in 0...9 {
      let head = batches(from: DataCursor(), stop)
      let saved = try JSONDecoder().decode(DataCursor.self, from: JSONEncoder().encode(head.end))
      let tail = batches(from: saved, 9 - stop)
      #expect(head.taken + tail.taken == whole.taken)
    }
  }
}
