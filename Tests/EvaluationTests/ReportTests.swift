import Datasets
import Evaluation
import Foundation
import Testing

/// Counts, intervals and the text of reports.
struct ReportTests {
  private func scores(_ correct: Int, of count: Int, choices: Bool = true) -> Scores {
    Scores(
      count: count, correct: correct, multipleChoice: choices ? count : 0, letterCorrect: choices ? 1 : 0,
      textCorrect: choices ? correct : 0, textPerCharacterCorrect: choices ? 2 : 0)
  }

  @Test(
    "Wilson's interval: where (p - t)² = z² t (1 - t) / n, found by bisection",
    arguments: [
      (8, 10, 0.490162472, 0.943317849), (0, 10, 0, 0.277532799), (10, 10, 0.722467201, 1),
      (50, 100, 0.403831530, 0.596168470), (1, 1, 0.206549314, 1),
    ])
  func wilson(correct: Int, count: Int, lower: Double, upper: Double) {
    let interval = scores(correct, of: count).interval
    #expect(abs(interval.lowerBound - lower) < 1e-8 && abs(interval.upperBound - upper) < 1e-8)
  }

  @Test("nothing is known of no episodes")
  func noEpisodes() {
    #expect(scores(0, of: 0).interval == 0...1)
    #expect(scores(0, of: 0).accuracy == 0)
  }

  @Test("each way of scoring is counted by itself")
  func counting() {
    let items = [0, 1, 2].map {
      Episode(
        id: "\($0)", inputs: [:],
        tasks: ["t": TaskItem(question: "?", options: ["x", "y", "z"], answer: $0)])
    }
    func pick(_ index: Int) -> OptionScores { OptionScores((0..<3).map { $0 == index ? -1 : -2 }) }
    let answers = (0..<3).map { number in
      TaskAnswer(
        text: "", probability: 1,
        choice: .init(
          reply: pick(number), letter: pick(0), text: pick(number == 0 ? 0 : 1), textPerCharacter: pick(9)))
    }
    let scores = Scores(answers, task: "t", episodes: items)
    // The scores per character are tied, and of equal options the first is chosen.
    #expect(
      scores
        == Scores(
          count: 3, correct: 3, multipleChoice: 3, letterCorrect: 1, textCorrect: 2,
          textPerCharacterCorrect: 1))
  }

  @Test("probabilities of options, of very small ones too")
  func probabilities() {
    let scores = OptionScores([-1000, -1000 + log(3.0), -2000])
    #expect(scores.best == 1)
    #expect(zip(scores.probabilities, [0.25, 0.75, 0]).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test(
    "free text matches but for case, punctuation, articles and spaces",
    arguments: [
      ("The  van brakes.", "van brakes", true), ("don't", "dont", true),
      ("e\u{301}t\u{e9}", "\u{e9}te\u{301}", true),
      ("van", "vans", false), ("12", "1 2", false), ("", "+", false), ("a", "", false), ("A", "a", true),
      ("", "the", false), ("मुंबई", "मबई", false), ("5°", "5", false),
      ("A", "A.", true), ("A", "(A)", true), ("A.", "A", true), ("The", "The.", true), ("an", "An!", true),
      ("+", "+.", true), ("well-known", "wellknown", true), ("**Yes.**", "yes", true),
      ("e.g. van", "eg van", true),
      ("-5", "5", false), ("(-5)", "-5.", true), ("3.5", "35", false), ("8:30", "830", false),
      ("C++", "C+", false), ("C#", "C", false), ("$5", "5", false), ("5%", "5", false), ("5 %.", "5", false),
      ("and/or", "andor", false), ("?!", "!", false),
    ])
  func matching(answer: String, expected: String, same: Bool) {
    #expect(AnswerMatching.matches(answer, expected) == same)
  }

  private var report: EvaluationReport {
    EvaluationReport(
      workflow: "iov", episodes: 10, allRight: 4,
      tasks: [
        TaskReport(task: "perceive", parents: [], gold: scores(8, of: 10), chained: scores(8, of: 10)),
        TaskReport(
          task: "say", parents: ["perceive"], gold: scores(10, of: 10, choices: false),
          chained: scores(5, of: 10, choices: false)),
      ])
  }

  @Test("the table")
  func table() {
    #expect(
      report.text == """
        iov, 10 episodes, accuracies in %

        task      parents  right  answer        95 %  letter  text  text/char  gap, points
        perceive  none      8/10    80.0   49.0–94.3    10.0  80.0       20.0
        say       gold     10/10   100.0  72.2–100.0       -     -          -
                  chained   5/10    50.0   23.7–76.3       -     -          -         50.0

        Every task right, chained: 4/10

        """)
  }

  @Test("cut answers and prompts are counted if there are any")
  func cuts() throws {
    var report = report
    report.tasks[1].gold.cutAnswers = 3
    report.tasks[1].chained.cutAnswers = 4
    report.tasks[1].chained.cutPrompts = 2
    #expect(
      report.text == """
        iov, 10 episodes, accuracies in %

        task      parents  right  answer        95 %  letter  text  text/char  gap, points  cut
        perceive  none      8/10    80.0   49.0–94.3    10.0  80.0       20.0                 0
        say       gold     10/10   100.0  72.2–100.0       -     -          -                 3
                  chained   5/10    50.0   23.7–76.3       -     -          -         50.0    4

        Every task right, chained: 4/10
        say: 4 of 10 answers had not ended at the token limit, or at the end of the model's context (column cut); \
        if the gold answers are longer, raise tasks.say.maxTokens and train again
        say: in 2 of 10 chained prompts, the parents' answers were shortened to fit the model's context; \
        lower the parents' maxTokens and train again

        """)
    #expect(try JSONDecoder().decode(EvaluationReport.self, from: Data(report.json.utf8)) == report)
  }

  @Test("the JSON holds the report and what follows from it")
  func json() throws {
    let data = Data(report.json.utf8)
    #expect(try JSONDecoder().decode(EvaluationReport.self, from: data) == report)
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let tasks = try #require(object["tasks"] as? [[String: Any]])
    #expect(tasks[1]["compositionGap"] as? Double == 0.5)
    let gold = try #require(tasks[0]["gold"] as? [String: Any])
    #expect(gold["letterAccuracy"] as? Double == 0.1)
    #expect((tasks[1]["gold"] as? [String: Any])?["letterAccuracy"] == nil)
    #expect((gold["interval95"] as? [Double])?.count == 2)
  }

  @Test("a run as people read it")
  func run() {
    let run = WorkflowRun(
      workflow: "iov", episode: "iov-000007",
      tasks: [
        AnsweredTask(
          task: "perceive", parents: [],
          answer: TaskAnswer(text: "the van", probability: 0.98765, choice: nil),
          expected: "the van", isRight: true, seconds: 0.01234),
        AnsweredTask(
          task: "decide", parents: [.init(task: "perceive", text: "the van")],
          answer: TaskAnswer(text: "brake", probability: 0.5, choice: nil), expected: "overtake",
          isRight: false, seconds: 1.5),
      ])
    #expect(
      run.text == """
        iov, episode iov-000007

        perceive: the van
          gold: the same
          probability 0.988, 12.3 ms

        decide: brake
          read perceive: the van
          gold: overtake
          probability 0.500, 1500.0 ms

        """)
  }
}
