import Foundation
import TaskGraph
import Testing

@Suite struct RenderingTests {
  @Test func textOfADiamond() throws {
    #expect(
      try PhaseTests.schedule(0.5).text() == """
        4 tasks, 3 levels, rank 16, frozen ratio 0.5 (leading), prerequisites: ancestors, 1 round

        Level  Task      Columns  Parents          Sees
        1      perceive  0-3      -                0-3
        2      predict   4-7      perceive         0-7
        2      decide    8-11     perceive         0-3,8-11
        3      route     12-15    predict, decide  0-15

        Level 2: tasks train one after the other, because they refine shared columns.

        Phase  Level  Task      Trains         Freezes      Masks
        1      1      perceive  0-3            -            4-15
        2      2      predict   2-7            0-1          8-15
        3      2      decide    2-3,8-11       0-1          4-7,12-15
        4      3      route     2-3,6-7,10-15  0-1,4-5,8-9  -

        """)
  }

  @Test func textWithImportanceAndRounds() throws {
    #expect(
      try PhaseTests.schedule(0.5, .direct, .importance, rounds: 3).text() == """
        4 tasks, 3 levels, rank 16, frozen ratio 0.5 (importance), prerequisites: direct, 3 rounds

        Level  Task      Columns  Parents          Sees
        1      perceive  0-3      -                0-3
        2      predict   4-7      perceive         0-7
        2      decide    8-11     perceive         0-3,8-11
        3      route     12-15    predict, decide  4-15

        Level 2: tasks train one after the other, because they refine shared columns.

        Phase  Level  Task      Trains                      Freezes              Masks
        1      1      perceive  0-3                         -                    4-15
        2      2      predict   4-7, 2 of 0-3               2 of 0-3             8-15
        3      2      decide    8-11, 2 of 0-3              2 of 0-3             4-7,12-15
        4      3      route     12-15, 2 of 4-7, 2 of 8-11  2 of 4-7, 2 of 8-11  0-3
        (the same in each of the 3 rounds)

        'n of a-b': the n columns are chosen by importance when the phase starts.

        """)
  }

  @Test func mermaid() throws {
    let graph = try PhaseTests.diamond()
    #expect(
      graph.mermaid(blocks: try RankBlocks(tasks: graph.tasks, rank: 8)) == """
        flowchart LR
          t0["perceive<br/>columns 0-1"]
          t1["predict<br/>columns 2-3"]
          t2["decide<br/>columns 4-5"]
          t3["route<br/>columns 6-7"]
          t0 --> t1
          t0 --> t2
          t1 --> t3
          t2 --> t3

        """)
  }

  @Test func dot() throws {
    #expect(
      try PhaseTests.diamond().dot() == """
        digraph workflow {
          rankdir=LR;
          node [shape=box];
          t0 [label="perceive"];
          t1 [label="predict"];
          t2 [label="decide"];
          t3 [label="route"];
          { rank=same; t0; }
          { rank=same; t1; t2; }
          { rank=same; t3; }
          t0 -> t1;
          t0 -> t2;
          t1 -> t3;
          t2 -> t3;
        }

        """)
  }

  @Test func namesAreEscaped() throws {
    let graph = try TaskDependencyGraph([("a\"]<b>#\\`\n", [])])
    #expect(graph.mermaid().contains(#"t0["a#34;]#60;b#62;#35;#92;#96; "]"#))
    #expect(graph.dot().contains(#"t0 [label="a\"]<b>#\\`\n"];"#))
    let blocks = try RankBlocks(tasks: graph.tasks, rank: 1)
    #expect(graph.dot(blocks: blocks).contains(#"t0 [label="a\"]<b>#\\`\n\ncolumns 0"];"#))
  }

  /// Foundation reads our JSON back as the same values.
  @Test func jsonReadsBack() throws {
    let name = "a\"b\\\u{1}\n\t\r é 語 🚗\u{7F}"
    let graph = try TaskDependencyGraph([(name, []), ("child", [name]), ("other", [name])])
    let schedule = try PhaseSchedule(
      graph: graph, blocks: RankBlocks(tasks: graph.tasks, rank: 6), frozenRatio: 0.5,
      freezeRule: .importance,
      rounds: 2)
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(schedule.json().utf8)) as? [String: Any])
    #expect(object["rank"] as? Int == 6)
    #expect(object["frozenRatio"] as? Double == 0.5)
    #expect(object["prerequisites"] as? String == "ancestors")
    #expect(object["freeze"] as? String == "importance")
    #expect(object["rounds"] as? Int == 2)
    let tasks = try #require(object["tasks"] as? [[String: Any]])
    #expect(tasks.map { $0["name"] as? String } == [name, "child", "other"])
    #expect(tasks.map { $0["parents"] as? [String] } == [[], [name], [name]])
    #expect(tasks.map { $0["level"] as? Int } == [1, 2, 2])
    #expect(tasks.map { $0["block"] as? [Int] } == [[0, 2], [2, 4], [4, 6]])
    #expect(tasks.map { $0["prerequisites"] as? [String] } == [[], [name], [name]])
    #expect(tasks.map { $0["viewColumns"] as? [Int] } == [[0, 1], [0, 1, 2, 3], [0, 1, 4, 5]])
    let levels = try #require(object["levels"] as? [[String: Any]])
    #expect(levels.map { $0["tasks"] as? [String] } == [[name], ["child", "other"]])
    #expect(levels.map { $0["independentGroups"] as? [[String]] } == [[[name]], [["child", "other"]]])
    let phases = try #require(object["phases"] as? [[String: Any]])
    #expect(phases.count == 6)
    for (phase, read) in zip(schedule, phases) {
      #expect(read["index"] as? Int == phase.index && read["round"] as? Int == phase.round)
      #expect(read["task"] as? String == phase.task && read["level"] as? Int == phase.level)
      #expect(read["trainable"] as? [Int] == phase.trainable)
      #expect(read["frozen"] as? [Int] == phase.frozen && read["masked"] as? [Int] == phase.masked)
      #expect(read["provisional"] as? Bool == phase.isProvisional)
      let prerequisites = try #require(read["prerequisites"] as? [[String: Any]])
      #expect(prerequisites.map { $0["task"] as? String } == phase.prerequisites.map(\.task))
      #expect(prerequisites.map { $0["frozen"] as? [Int] } == phase.prerequisites.map(\.frozen))
    }
  }
}
