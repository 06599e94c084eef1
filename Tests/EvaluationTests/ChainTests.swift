import Datasets
import Evaluation
import LanguageModels
import Testing

/// The parents' answers that children are given: gold or predicted.
struct ChainTests {
  /// Episodes in which the gold answer of `a` differs from the prediction, which changes the prediction for
  /// `b`. The gold answer of `b` is the prediction given the predicted `a`.
  private func episodes(_ predictor: AnswerPredictor) throws -> [Episode] {
    var result: [Episode] = []
    for var episode in TinyModel.episodes(60) {
      func answer(_ task: String, _ parents: [String: String]) throws -> TaskAnswer {
        try predictor.answers(task: task, episodes: [episode], parentAnswers: [parents], view: nil)[0]
      }
      let own = try answer("a", [:])
      let chosen = try #require(own.choice?.reply.best)
      let item = try #require(episode.tasks["a"]).answered(with: (chosen + 1) % 3)
      let chained = try #require(try answer("b", ["a": own.text]).choice?.reply.best)
      let gold = try #require(try answer("b", ["a": item.answerText]).choice?.reply.best)
      guard gold != chained else { continue }
      episode.tasks["a"] = item
      episode.tasks["b"] = episode.tasks["b"]?.answered(with: chained)
      result.append(episode)
    }
    return result
  }

  @Test("chained children read the model's answers, gold ones the recorded: a gap of -100 by construction")
  func chained() throws {
    let tiny = try TinyModel()
    let predictor = tiny.predictor()
    let episodes = try episodes(predictor)
    #expect(episodes.count >= 3)
    let evaluator = WorkflowEvaluator(workflow: tiny.workflow, predictor: predictor, view: { _ in nil })
    let report = try evaluator.evaluate(episodes) { _, _, _, _ in }
    #expect(report.tasks.map(\.task) == ["a", "b", "c", "f"])
    #expect(report.tasks.map(\.parents) == [[], ["a"], ["a", "b"], ["a"]])
    #expect(report.tasks[0].gold.correct == 0 && report.tasks[0].gold == report.tasks[0].chained)
    #expect(report.tasks[1].gold.correct == 0)
    #expect(report.tasks[1].chained.correct == episodes.count)
    #expect(report.tasks[1].compositionGap == -1)

    // The join: both parents' predicted answers, the second of which depends on the first.
    var own: [[String: String]] = []
    for episode in episodes {
      var texts: [String: String] = [:]
      for (task, parents) in [("a", []), ("b", ["a"])] {
        texts[task] =
          try predictor.answers(
            task: task, episodes: [episode], parentAnswers: [texts.filter { parents.contains($0.key) }],
            view: nil)[0].text
      }
      own.append(texts)
    }
    let answers = try predictor.answers(task: "c", episodes: episodes, parentAnswers: own, view: nil)
    #expect(report.tasks[2].chained == Scores(answers, task: "c", episodes: episodes))
    let gold = try predictor.answers(
      task: "c", episodes: episodes, parentAnswers: episodes.map { $0.goldAnswers(of: ["a", "b"]) }, view: nil
    )
    #expect(report.tasks[2].gold == Scores(gold, task: "c", episodes: episodes))
    #expect(report.tasks[3].gold.multipleChoice == 0 && report.tasks[3].gold.letterAccuracy == nil)
  }

  @Test("an evaluation ends within a pass, and what it checks in between does not change its answers")
  func interrupted() throws {
    let tiny = try TinyModel()
    let evaluator = WorkflowEvaluator(
      workflow: tiny.workflow, predictor: tiny.predictor(), view: { _ in nil })
    let episodes = TinyModel.episodes(150)
    struct Enough: Error {}
    var (passes, checks) = (0, 0)
    #expect(throws: Enough.self) {
      _ = try evaluator.evaluate(episodes, onTask: { _, _, _, _ in passes += 1 }) {
        checks += 1
        if checks == 2 { throw Enough() }
      }
    }
    #expect(passes == 1)
    // Rendering comes before all passes, and ends too.
    (passes, checks) = (0, 0)
    #expect(throws: Enough.self) {
      _ = try evaluator.evaluate(
        episodes, onTask: { _, _, _, _ in passes += 1 }, check: { checks += 1 },
        onRendering: { path, done, all in
          #expect(path == "the episodes" && done == 0 && all == 150)
          throw Enough()
        })
    }
    #expect(passes == 0 && checks == 1)

    // The same requests without a cut.
    let requests = try episodes.map { episode in
      let item = try #require(episode.tasks["a"])
      return try tiny.prompts.replyQuestion(task: "a", episode: episode, item: item, parentAnswers: [:])
    }
    let whole = try Scorer(tiny.model).score(requests, adapter: nil).map { score in
      OptionScores(score.map { $0.reduce(0) { $0 + Double($1) } })
    }
    let none = [[String: String]](repeating: [:], count: episodes.count)
    let cut = try tiny.predictor().answers(
      task: "a", episodes: episodes, parentAnswers: none, view: nil, repliesOnly: true)
    #expect(cut.map { $0.choice?.reply } == whole)
  }

  @Test("a run reads what its parents answered")
  func run() throws {
    let tiny = try TinyModel()
    let predictor = tiny.predictor()
    let episode = try #require(try episodes(predictor).first)
    let run = try WorkflowEvaluator(workflow: tiny.workflow, predictor: predictor, view: { _ in nil })
      .run(episode)
    #expect(run.episode == episode.id && run.tasks.map(\.task) == ["a", "b", "f", "c"])
    var answered: [String: String] = [:]
    for task in run.tasks {
      #expect(task.parents.map(\.task) == tiny.workflow.graph.parents(of: task.task))
      #expect(task.parents.allSatisfy { answered[$0.task] == $0.text })
      #expect(task.seconds > 0 && task.answer.probability > 0 && task.answer.probability <= 1)
      answered[task.task] = task.answer.text
    }
    #expect(run.tasks[0].isRight == false && run.tasks[1].isRight == true)
    #expect(run.tasks[0].expected == episode.tasks["a"]?.answerText)
  }

  @Test("each task is answered through its own view")
  func views() throws {
    let tiny = try TinyModel()
    let predictor = tiny.predictor()
    let adapter = tiny.adapter()
    let views = ["a": tiny.view(adapter, [0, 1]), "b": tiny.view(adapter, [0, 1, 2, 3])]
    let episodes = TinyModel.episodes(30)
    func answers(_ task: String, _ view: DeviceAdapter?) throws -> [TaskAnswer] {
      try predictor.answers(
        task: task, episodes: episodes,
        parentAnswers: episodes.map { task == "a" ? [:] : $0.goldAnswers(of: ["a"]) }, view: view)
    }
    let report = try WorkflowEvaluator(workflow: tiny.workflow, predictor: predictor, view: { views[$0] })
      .evaluate(episodes) { _, _, _, _ in }
    let texts = try ["a", "b"].map { task in try answers(task, views[task]).map(\.text) }
    for (index, task) in ["a", "b"].enumerated() {
      let own = try answers(task, views[task])
      #expect(report.tasks[index].gold == Scores(own, task: task, episodes: episodes))
      #expect(try answers(task, nil).map(\.text) != texts[index])
    }
    #expect(try answers("b", views["a"]).map(\.text) != texts[1])
  }

  @Test("progress counts the passes, roots once; what it throws ends the evaluation")
  func progress() throws {
    struct Stop: Error {}
    let tiny = try TinyModel()
    let evaluator = WorkflowEvaluator(
      workflow: tiny.workflow, predictor: tiny.predictor(maximumAnswerTokens: 1), view: { _ in nil })
    var seen: [String] = []
    _ = try evaluator.evaluate(TinyModel.episodes(2)) { task, chained, done, all in
      seen.append("\(task) \(chained ? "chained" : "gold") \(done)/\(all)")
    }
    #expect(
      seen == [
        "a gold 0/7", "b gold 1/7", "b chained 2/7", "f gold 3/7", "f chained 4/7", "c gold 5/7",
        "c chained 6/7",
      ])
    var count = 0
    #expect(throws: Stop.self) {
      _ = try evaluator.evaluate(TinyModel.episodes(2)) { _, _, _, _ in
        count += 1
        if count == 2 { throw Stop() }
      }
    }
    #expect(count == 2)
  }

  @Test("no episodes give an empty report")
  func empty() throws {
    let tiny = try TinyModel()
    let report = try WorkflowEvaluator(
      workflow: tiny.workflow, predictor: tiny.predictor(), view: { _ in nil }
    ).evaluate([]) { _, _, _, _ in }
    #expect(report.episodes == 0 && report.tasks.allSatisfy { $0.gold.count == 0 && $0.compositionGap == 0 })
  }
}
