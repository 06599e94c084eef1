import TaskGraph
import Testing

@Suite struct RankBlocksTests {
  @Test func equalShares() throws {
    let blocks = try RankBlocks(tasks: ["a", "b", "c", "d"], rank: 16)
    #expect(blocks.blocks.map(\.columns) == [0..<4, 4..<8, 8..<12, 12..<16])
    #expect(blocks["c"] == 8..<12 && blocks.rank == 16)
    #expect((0..<16).map(blocks.task(ofColumn:)) == ["a", "b", "c", "d"].flatMap { [$0, $0, $0, $0] })
  }

  @Test func givenSharesWithAndWithoutATotal() throws {
    #expect(try RankBlocks(tasks: ["a", "b"], ranks: [3, 5]).blocks.map(\.columns) == [0..<3, 3..<8])
    #expect(try RankBlocks(tasks: ["a", "b"], ranks: [3, 5], total: 8)["b"] == 3..<8)
    let mixed = try RankBlocks(tasks: ["a", "b", "c"], ranks: [nil, 8, nil], total: 16)
    #expect(mixed.blocks.map(\.columns) == [0..<4, 4..<12, 12..<16])
  }

  @Test func refusals() {
    let four = ["a", "b", "c", "d"]
    let none: [Int?] = [nil, nil, nil, nil]
    let cases: [([String], [Int?], Int?, String)] = [
      (
        four, none, 10,
        "rank 10 does not divide evenly among 4 tasks; use 8 or 12, or give each task its own rank"
      ),
      (four, none, 3, "rank 3 does not divide evenly among 4 tasks; use 4, or give each task its own rank"),
      (four, none, 0, "the rank is 0, outside 1...65536; use a whole number of columns in that range"),
      (
        four, none, 65_537,
        "the rank is 65537, outside 1...65536; use a whole number of columns in that range"
      ),
      (
        four, [4, 0, 4, 4], nil,
        "task 'b' has the rank 0, outside 1...65536; use a whole number of columns in that range"
      ),
      (
        four, [60_000, 60_000, 4, 4], nil,
        "the tasks' ranks add up to 120008 columns, more than 65536; give tasks fewer columns"
      ),
      (
        four, [4, 4, 4, 2], 16,
        "the ranks of the tasks add up to 14, but the total rank is 16; use a total rank of 14, "
          + "leave the total out, or change the tasks' ranks"
      ),
      (
        four, [nil, 5, nil, 4], 16,
        "rank 16 minus the 9 given to single tasks leaves 7, which does not divide evenly among the tasks "
          + "without a rank (a, c); use a total rank of 15 or 17, or give every task its own rank"
      ),
      (
        four, [nil, 16, nil, 4], 16,
        "rank 16 minus the 20 given to single tasks leaves -4, which does not divide evenly among the tasks "
          + "without a rank (a, c); use a total rank of 22, or give every task its own rank"
      ),
      ([], [], 4, "there are no tasks; list at least one task"),
      (["a", "a"], [nil, nil], 4, "there are two tasks named 'a'; rename one of them"),
    ]
    for (tasks, ranks, total, message) in cases {
      do throws(TaskGraphError) {
        _ = try RankBlocks(tasks: tasks, ranks: ranks, total: total)
        Issue.record("accepted, should say: \(message)")
      } catch {
        #expect(error.description == message)
      }
    }
  }

  @Test func compactRanges() {
    #expect(columnRanges([0, 1, 2, 3, 8]) == "0-3,8")
    #expect(columnRanges([]) == "-")
    #expect(columnRanges([5]) == "5")
    #expect(columnRanges([1, 3, 4, 6]) == "1,3-4,6")
    #expect(columnRanges(2..<4) == "2-3")
  }
}
