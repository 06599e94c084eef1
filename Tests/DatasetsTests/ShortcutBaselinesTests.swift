import Datasets
import Foundation
import Testing

@Suite struct ShortcutBaselinesTests {
  private func episode(
    _ text: String, _ options: [String], _ answer: Int, parent: String? = nil
  ) -> Episode {
    var tasks = ["t": TaskItem(question: "q", options: options, answer: answer)]
    if let parent { tasks["p"] = TaskItem(question: "q", answer: parent) }
    return Episode(id: "\(text)\(options)\(answer)\(parent ?? "")", inputs: ["x": text], tasks: tasks)
  }

  @Test func countsByHand() throws {
    let train = [
      episode("red round", ["apple", "plum"], 0), episode("red soft", ["plum", "apple"], 1),
      episode("blue round", ["apple", "plum"], 1),
    ]
    let test = [
      // Majority apple (right), position 1 (wrong), longest apple, shortest plum, overlap: a tie; Bayes: red.
      episode("red", ["apple", "plum"], 0),
      // Majority apple (wrong), position 1 (right), longest wrong, shortest right, overlap plum; Bayes: blue.
      episode("blue plum", ["apple", "plum"], 1),
    ]
    let report = ShortcutBaselines.measure(
      train: train, test: test, tasks: [DatasetTask(name: "t", inputs: ["x"])],
      oracleWithoutParents: ["t": 0.75])
    let row = try #require(report.tasks.first)
    #expect(row.items == 2)
    #expect(row.chance == 0.5)
    #expect(row.majority == 0.5)
    #expect(row.position == 0.5)
    #expect(row.longest == 0.5)
    #expect(row.shortest == 0.5)
    #expect(row.overlap == 0.75)
    #expect(row.bayesAlone == 1)
    #expect(row.bayesWithParents == nil)
    #expect(row.oracleWithoutParents == 0.75)
    #expect(row.bestShortcut == 1)
    #expect(
      report.text == """
        task  items  chance  majority  position  longest  shortest  overlap  bayes alone  bayes+parents  oracle alone
        t         2    50.0      50.0      50.0     50.0      50.0     75.0        100.0              –          75.0
        """)
    #expect(try JSONDecoder().decode(BaselineReport.self, from: JSONEncoder().encode(report)) == report)
  }

  @Test func parentsAreReadOnlyWhereTheyAreAllowed() throws {
    // The answer is the exclusive or of the text and the parent's answer: neither alone carries information.
    let episodes = (0..<400).map { index in
      let (own, parent) = (index & 1, (index >> 1) & 1)
      return episode(
        own == 1 ? "up" : "down", ["yes", "no"], own ^ parent, parent: parent == 1 ? "on" : "off")
    }
    let task = DatasetTask(name: "t", inputs: ["x"], parents: ["p"])
    let row = try #require(
      ShortcutBaselines.measure(train: episodes, test: episodes, tasks: [task]).tasks.first)
    #expect(row.bayesAlone == 0.5)
    #expect(row.bayesWithParents == 1)
    #expect(row.oracleWithoutParents == nil)
  }

  @Test func freeTextHasNoOptionFigures() throws {
    let episodes = ["a", "a", "b"].enumerated().map { index, answer in
      Episode(id: "\(index)", inputs: ["x": answer], tasks: ["t": TaskItem(question: "q", answer: answer)])
    }
    let row = try #require(
      ShortcutBaselines.measure(
        train: episodes, test: episodes, tasks: [DatasetTask(name: "t", inputs: ["x"])]
      )
      .tasks.first)
    #expect(row.chance == nil && row.position == nil && row.longest == nil && row.overlap == nil)
    #expect(row.majority == 2.0 / 3)
    #expect(row.bayesAlone == 1)
  }

  @Test("naive Bayes knows all answers that are options, and the first 1000 of free text")
  func manyAnswers() throws {
    for (isFreeText, accuracy) in [(false, 1.0), (true, 1000.0 / 1200)] {
      let episodes = (0..<1200).map { index in
        Episode(
          id: "\(index)", inputs: ["x": "word\(index)"],
          tasks: [
            "t": isFreeText
              ? TaskItem(question: "q", answer: "a\(index)")
              : TaskItem(question: "q", options: ["a\(index)", "b\(index)"], answer: 0)
          ])
      }
      let row = try #require(
        ShortcutBaselines.measure(
          train: episodes, test: episodes, tasks: [DatasetTask(name: "t", inputs: ["x"])]
        ).tasks.first)
      #expect(row.bayesAlone == accuracy)
    }
  }
}
