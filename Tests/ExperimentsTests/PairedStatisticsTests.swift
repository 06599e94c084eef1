import Experiments
import Testing

struct PairedStatisticsTests {
  @Test func spread() {
    let spread = PairedStatistics.Spread([1, 2, 3, 4])
    #expect(spread.mean == 2.5 && abs(spread.deviation - 1.2909944) < 1e-6)
    #expect(PairedStatistics.Spread([7]).deviation == 0)
  }

  /// Values of the binomial distribution with p = 1/2.
  @Test func signTest() {
    #expect(PairedStatistics.signTest(0, 0) == 1)
    #expect(abs(PairedStatistics.signTest(0, 5) - 0.0625) < 1e-9)
    #expect(abs(PairedStatistics.signTest(10, 1) - 0.01171875) < 1e-9)
    #expect(PairedStatistics.signTest(3, 3) == 1)
    #expect(PairedStatistics.signTest(2000, 2100) > 0.1)
  }

  private func marks(_ right: Int, _ count: Int = 100) -> String {
    String(repeating: "1", count: right) + String(repeating: "0", count: count - right)
  }

  @Test func verdicts() {
    typealias Pair = (first: String, second: String)
    func pairs(_ values: [(Int, Int)]) -> [Pair] { values.map { (marks($0.0), marks($0.1)) } }
    #expect(PairedStatistics.compare(pairs([(80, 95)])) == .better)
    #expect(PairedStatistics.compare(pairs([(95, 80)])) == .worse)
    #expect(PairedStatistics.compare(pairs([(90, 92)])) == .tie)
    #expect(PairedStatistics.compare(pairs([(80, 90), (81, 91), (79, 90)])) == .better)
    // A difference of one seed alone: over seeds it may be chance.
    #expect(PairedStatistics.compare(pairs([(70, 99), (90, 90), (90, 90)])) == .tie)
    #expect(PairedStatistics.compare([]) == .tie)
    // Seven episodes more in one seed each, eight fewer in all: more episodes gain, and every seed loses.
    let mixed = (0..<3).map { seed -> Pair in
      let ((gained, others), lost) = (
        (String(repeating: "1", count: 7), String(repeating: "0", count: 7)), String(repeating: "1", count: 8)
      )
      let own = (0..<3).map { $0 == seed ? gained : others }.joined() + String(repeating: "0", count: 8)
      return (String(repeating: "0", count: 21) + lost, own)
    }
    #expect(PairedStatistics.compare(mixed) == .tie)
    // Both seeds have the same episodes: five that differ twice are not ten.
    #expect(PairedStatistics.compare(pairs([(90, 95), (90, 95)])) == .tie)
    #expect(PairedStatistics.compare(pairs([(90, 96), (90, 96)])) == .better)
  }

  @Test("figures of a result")
  func figures() {
    let result = CellResult.example
    #expect(result.allRightShare == 0.5 && result.compositionGap == 0.5 && result.forgetting == 0)
    #expect(result.tokensToNinety == 3)
    var never = result
    never.course[0].accuracy = 0
    #expect(never.tokensToNinety == nil)
    never.tasks[0].rightAfter = nil
    #expect(never.forgetting == nil)
  }
}
