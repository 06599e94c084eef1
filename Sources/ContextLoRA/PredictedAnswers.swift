import LanguageModels
import TaskGraph

/// The answers that the model in training predicts for the parents of a task.
struct PredictedAnswers {
  private let samples: any WorkflowSamples
  private let answerer: any TaskAnswerer
  private let schedule: PhaseSchedule
  /// Answers by task and sample, valid while the parents' columns do not change.
  private var known: [String: [Int: String]] = [:]

  init(_ samples: any WorkflowSamples, _ answerer: any TaskAnswerer, _ schedule: PhaseSchedule) {
    (self.samples, self.answerer, self.schedule) = (samples, answerer, schedule)
  }

  /// Forgets all answers, for the next phase.
  mutating func removeAll() { known = [:] }

  /// The answers of a task's parents, by sample. Its ancestors answer in turn, each with its own columns.
  ///
  /// - Parameter changed: whether the parents' columns may have changed since the last call.
  mutating func texts(
    for task: String, samples wanted: [Int], changed: Bool, adapter: () -> LoRAAdapter
  ) throws -> [Int: [String: String]] {
    if changed { known = [:] }
    var current: LoRAAdapter?
    for ancestor in samples.passes(of: task) {
      let missing = wanted.filter { known[ancestor]?[$0] == nil }
      if missing.isEmpty { continue }
      let seen = current ?? adapter()
      current = seen
      let parents = schedule.graph.parents(of: ancestor)
      let answers = try answerer.answers(
        ancestor, samples: missing, parentAnswers: missing.map { texts(of: parents, $0) }, adapter: seen,
        columns: schedule.viewColumns(of: ancestor))
      for (sample, answer) in zip(missing, answers) { known[ancestor, default: [:]][sample] = answer }
    }
    let parents = schedule.graph.parents(of: task)
    return Dictionary(uniqueKeysWithValues: wanted.map { ($0, texts(of: parents, $0)) })
  }

  private func texts(of tasks: [String], _ sample: Int) -> [String: String] {
    Dictionary(uniqueKeysWithValues: tasks.map { ($0, known[$0]?[sample] ?? "") })
  }
}
